"""``spam-model track``: the online trackers of the papers, frame by frame on what one pass of the detector gives."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from tqdm import tqdm

from spam_model.commands.label import make_folder
from spam_model.data.clip import Clip
from spam_model.data.motchallenge import write_rows
from spam_model.detectors.joint import JointDetector
from spam_model.detectors.registry import create_detector
from spam_model.errors import InputError
from spam_model.motion.model import SHIPPED_WEIGHTS, MotionModel
from spam_model.trackers.base import OnlineTracker, track_clip
from spam_model.trackers.siammot import SiamMotSettings, SiamMotTracker
from spam_model.trackers.tdt import TdtSettings, TdtTracker

TRACKERS = ("siammot", "tdt")
DESCRIPTION = """Track objects online: frame by frame, without a look ahead, without a question to anyone.

  siammot   SiamMOT's solver: every track is looked for in the pixels of the next frame (explicit motion model)
  tdt       TDT's association, as in FairMOT: Kalman filter, embeddings of the joint detector, IoU

  spam-model track video.mp4 --tracker siammot -o OUT        # OUT/video.txt, MOTChallenge rows

For labels use spam-model label, which sees the whole video at once."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "track",
        help="track a video online (SiamMOT, TDT)",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", type=Path, metavar="VIDEO_OR_DIR", help="video, image folder or MOTChallenge folder")
    parser.add_argument("--tracker", choices=TRACKERS, default="siammot", help="(default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT_DIR", help="for <name>.txt")
    parser.add_argument("--detector", default="yolov4-tiny", metavar="NAME", help="a joint one (default: %(default)s)")
    parser.add_argument("--motion", type=Path, default=SHIPPED_WEIGHTS, help="weights of spam-model train-motion")
    parser.add_argument("--classes", default="person", metavar="A,B", help="of COCO's classes (default: %(default)s)")
    parser.add_argument(
        "--birth", type=float, metavar="SCORE", help="least score of a new track (siammot 0.6, the paper's; tdt 0.4)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--frame-rate", type=float, help="frames/s, where the files do not say it")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.birth is not None and not 0 <= args.birth <= 1:
        raise InputError(f"--birth {args.birth:g}: a score lies between 0 and 1")
    names = tuple(name.strip() for name in args.classes.split(","))
    detector = create_detector(args.detector, class_names=names, device=args.device)
    if not isinstance(detector, JointDetector):
        raise InputError(f"--detector {args.detector} gives no embeddings or feature maps; use yolov4-tiny")
    clip = Clip.open(args.input, frame_rate=args.frame_rate)
    tracker = _tracker(args, clip.info.frame_rate, detector.device)
    make_folder(args.output)
    start = time.perf_counter()
    with tqdm(total=clip.info.frame_count, desc=f"track ({tracker.name})", unit="frame", disable=None) as bar:
        labels = track_clip(tracker, clip, detector, bar.update)
    seconds = time.perf_counter() - start
    output = args.output / f"{clip.info.name}.txt"
    write_rows(labels, output)
    rate = clip.info.frame_count / seconds
    if args.json:
        summary = {
            "input": str(args.input),
            "output": str(output),
            "tracker": tracker.name,
            "detector": detector.name,
            "device": detector.device,
            "frames": clip.info.frame_count,
            "tracks": len(labels.track_ids),
            "boxes": len(labels),
            "seconds": round(seconds, 3),
            "frames_per_second": round(rate, 2),
        }
        print(json.dumps(summary))
    else:
        print(
            f"{len(labels.track_ids)} tracks, {len(labels)} boxes in {clip.info.frame_count} frames of "
            f"{clip.info.name} ({tracker.name} on {detector.name}, {detector.device}, {rate:.1f} frames/s) -> {output}",
            file=sys.stderr,
        )
    return 0


def _tracker(args: argparse.Namespace, frame_rate: float, device: str) -> OnlineTracker:
    if args.tracker == "tdt":
        return TdtTracker(frame_rate, TdtSettings() if args.birth is None else TdtSettings(score=args.birth))
    settings = SiamMotSettings() if args.birth is None else SiamMotSettings(birth=args.birth)
    return SiamMotTracker(MotionModel.load(args.motion, device), settings)
