"""``spam-model detect``: a video to candidates with appearance."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from spam_model.command_line import print_json
from spam_model.data.clip import Clip
from spam_model.data.lazy_clip import LazyClip
from spam_model.data.motchallenge import SequenceFolder, find_sequence, read_sequence_info
from spam_model.detectors.base import CandidateSource
from spam_model.detectors.cache import CandidateCache
from spam_model.detectors.detect_clip import detect_clip
from spam_model.detectors.digests import clip_digest, model_digest, settings_digest
from spam_model.detectors.registry import APPEARANCES, DETECTORS, create_detector, create_source
from spam_model.detectors.sources import PrecomputedSource
from spam_model.detectors.yolov4_tiny import YoloV4Tiny
from spam_model.errors import InputError
from spam_model.labeler import Labeler
from spam_model.motion.loose_ends import follow_loose_ends
from spam_model.motion.model import MotionModel
from spam_model.motion.optical_flow import flow_path
from spam_model.storage import write_candidates
from spam_model.values import Candidates, MotionEvidence
from spam_model.values.candidates import FloatArray

DESCRIPTION = """Find candidates in a video: boxes at a low score threshold, over-complete on purpose, each with a
vector that tells what it looks like. The graph model (spam-model label) makes tracks of them.

  spam-model detect street.mp4 -o street.safetensors
  spam-model detect street.mp4 -o street.safetensors --detector yolox-x:bytetrack_x_mot17.pth.tar --camera

What was found is kept in ~/.cache/cvat-spam (or $XDG_CACHE_HOME): a run that was killed goes on where it stopped, and a
repeat costs nothing."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "detect",
        help="find candidates in a video",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", type=Path, metavar="VIDEO_OR_DIR", help="video, image folder or MOTChallenge folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="candidates, as safetensors")
    parser.add_argument("--detector", default="yolov4-tiny", metavar="NAME", help=f"{DETECTORS} (default: %(default)s)")
    parser.add_argument(
        "--appearance",
        default="auto",
        metavar="NAME",
        help=f"{APPEARANCES}; auto is the detector's own embedding head, or colour-histogram (default: %(default)s)",
    )
    parser.add_argument("--camera", action="store_true", help="follow the background too, where the camera moves")
    parser.add_argument(
        "--motion", action="store_true", help="follow in the pixels what the boxes lose (yolov4-tiny only; slow)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--min-score", type=float, default=0.1, help="low on purpose (default: %(default)s)")
    parser.add_argument("--classes", default="person", metavar="A,B", help="of COCO's classes (default: %(default)s)")
    parser.add_argument("--frame-rate", type=float, help="frames/s, where the files do not say it")
    parser.add_argument("--seed", type=int, default=0, help="of the simulated detector (default: %(default)s)")
    parser.add_argument("--no-cache", action="store_true", help="look at every frame anew, keep nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.set_defaults(run=run)


@dataclass
class _Work:
    """What was done: frames that were looked at now, all frames, and seconds."""

    looked_at: int = 0
    frames: int = 0
    seconds: float = 0.0


def run(args: argparse.Namespace) -> int:
    source = create_source(
        args.detector,
        folder=args.input,
        class_names=tuple(name.strip() for name in args.classes.split(",")),
        min_score=args.min_score,
        device=args.device,
        seed=args.seed,
        appearance=args.appearance,
    )
    work = _Work()
    candidates = _without_pixels(source, args.input)
    if candidates is None:
        candidates = _with_pixels(source, args, work)
    write_candidates(args.output, candidates)
    info = candidates.info
    if args.json:
        print_json(
            {
                "input": str(args.input),
                "output": str(args.output),
                "detector": source.name,
                "appearance": source.appearance,
                "embedding_size": candidates.embedding.shape[1],
                "device": source.device,
                "frames": info.frame_count,
                "frames_from_cache": work.frames - work.looked_at,
                "width": info.width,
                "height": info.height,
                "frame_rate": info.frame_rate,
                "classes": info.class_names,
                "candidates": len(candidates),
                "camera": candidates.camera is not None,
                "followed": 0 if candidates.motion is None else len(np.unique(candidates.motion.id)),
                "seconds": round(work.seconds, 3),
                "frames_per_second": round(work.looked_at / work.seconds, 2) if work.looked_at else None,
            }
        )
    else:
        kept = work.frames - work.looked_at
        print(
            f"{len(candidates)} candidates in {info.frame_count} frames of {info.name} ({source.name}, appearance "
            f"{source.appearance}, device {source.device}, {work.seconds:.1f} s, {kept} frames from the cache) "
            f"-> {args.output}",
            file=sys.stderr,
        )
    return 0


def _without_pixels(source: CandidateSource, path: Path) -> Candidates | None:
    """The candidates that a file gives of a sequence folder without frames."""
    if not isinstance(source, PrecomputedSource) or not path.is_dir():
        return None
    sequence = find_sequence(path)
    if sequence.video is not None or sequence.images is not None or sequence.info_file is None:
        return None
    return source.all_candidates(read_sequence_info(path))


def _with_pixels(source: CandidateSource, args: argparse.Namespace, work: _Work) -> Candidates:
    cache = None if args.no_cache else CandidateCache(_digest(source, args))
    clip = LazyClip(lambda: Clip.open(args.input, frame_rate=args.frame_rate), cache.info if cache else None)
    if cache is not None and cache.info is None:
        cache.info = clip.info
    work.frames = clip.info.frame_count
    known = cache.frames_kept() if cache is not None else 0
    start = time.perf_counter()
    with tqdm(total=work.frames, initial=known, desc=f"detect ({source.name})", unit="frame", disable=None) as bar:

        def progress(frames: int) -> None:
            work.looked_at += frames
            bar.update(frames)

        candidates = detect_clip(source, clip, progress=progress, store=cache)
    work.seconds = time.perf_counter() - start
    if args.camera:
        candidates = replace(candidates, camera=_camera(clip, candidates, cache))
    return replace(candidates, motion=_motion(clip, candidates, args)) if args.motion else candidates


def _camera(clip: LazyClip, candidates: Candidates, cache: CandidateCache | None) -> FloatArray:
    known = cache.camera if cache is not None else None
    if known is not None:
        return known
    frames = tqdm(clip.frames(), total=clip.info.frame_count, desc="camera", unit="frame", disable=None)
    path = flow_path(frames, candidates)
    if cache is not None:
        cache.camera = path
    return path


def _motion(clip: LazyClip, candidates: Candidates, args: argparse.Namespace) -> MotionEvidence:
    """What is seen beyond the loose ends that the graph leaves."""
    detector = create_detector(args.detector, device=args.device)
    if not isinstance(detector, YoloV4Tiny):
        raise InputError(f"--motion knows the feature maps of yolov4-tiny only, not those of {args.detector}")
    hierarchy = Labeler.load(device=args.device).unanswered(candidates).hierarchy
    with tqdm(desc="motion", unit="frame", disable=None) as bar:
        model = MotionModel.load(device=detector.device)
        return follow_loose_ends(candidates, hierarchy, clip, detector, model, bar.update)


def _digest(source: CandidateSource, args: argparse.Namespace) -> str:
    """Of all that the candidates depend on."""
    folder = find_sequence(args.input) if args.input.is_dir() else None
    name = folder.name if folder is not None else args.input.stem
    return settings_digest(
        {
            "opencv": cv2.__version__,  # decodes, and counts frames
            "clip": clip_digest(args.input),
            "name": name,
            "frame_rate": args.frame_rate,
            "detector": model_digest(_with_file(args.detector, folder)),
            "appearance": model_digest(args.appearance),
            "classes": args.classes,
            "min_score": args.min_score,
            "seed": args.seed,
            "device": source.device,
        }
    )


def _with_file(spec: str, folder: SequenceFolder | None) -> str:
    """``file`` and ``simulated`` with the file of the sequence folder that they read."""
    if folder is not None and spec == "file":
        return f"file:{folder.detections}"
    if folder is not None and spec == "simulated":
        return f"simulated:{folder.ground_truth}"
    return spec
