"""``spam-model detect``: a video to candidates with appearance, in one pass over its frames."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from tqdm import tqdm

from spam_model.data.clip import Clip
from spam_model.data.motchallenge import find_sequence, read_sequence_info
from spam_model.detectors.base import CandidateSource, detect_clip
from spam_model.detectors.registry import DETECTORS, create_source
from spam_model.detectors.sources import PrecomputedSource
from spam_model.storage import write_candidates
from spam_model.values import Candidates


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("detect", help="find candidates in a video", description=__doc__)
    parser.add_argument("input", type=Path, metavar="VIDEO_OR_DIR", help="video, image folder or MOTChallenge folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="candidates, as safetensors")
    parser.add_argument("--detector", default="yolov4-tiny", metavar="NAME", help=f"{DETECTORS} (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--min-score", type=float, default=0.1, help="low on purpose (default: %(default)s)")
    parser.add_argument("--classes", default="person", metavar="A,B", help="of COCO's classes (default: %(default)s)")
    parser.add_argument("--frame-rate", type=float, help="frames/s, where the files do not say it")
    parser.add_argument("--seed", type=int, default=0, help="of the simulated detector (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    source = create_source(
        args.detector,
        folder=args.input,
        class_names=tuple(name.strip() for name in args.classes.split(",")),
        min_score=args.min_score,
        device=args.device,
        seed=args.seed,
    )
    start = time.perf_counter()
    candidates = _candidates(source, args.input, args.frame_rate)
    seconds = time.perf_counter() - start
    write_candidates(args.output, candidates)
    info = candidates.info
    if args.json:
        summary = {
            "input": str(args.input),
            "output": str(args.output),
            "detector": source.name,
            "device": source.device,
            "frames": info.frame_count,
            "width": info.width,
            "height": info.height,
            "frame_rate": info.frame_rate,
            "classes": info.class_names,
            "candidates": len(candidates),
            "embedding_size": candidates.embedding.shape[1],
            "seconds": round(seconds, 3),
        }
        print(json.dumps(summary))
    else:
        print(
            f"{len(candidates)} candidates in {info.frame_count} frames of {info.name} ({source.name}, device "
            f"{source.device}, {seconds:.1f} s) -> {args.output}",
            file=sys.stderr,
        )
    return 0


def _candidates(source: CandidateSource, path: Path, frame_rate: float | None) -> Candidates:
    if isinstance(source, PrecomputedSource) and path.is_dir():
        sequence = find_sequence(path)
        if sequence.video is None and sequence.images is None and sequence.info_file is not None:
            return source.all_candidates(read_sequence_info(path))
    clip = Clip.open(path, frame_rate=frame_rate)
    with tqdm(total=clip.info.frame_count, desc=f"detect ({source.name})", unit="frame", disable=None) as bar:
        return detect_clip(source, clip, progress=bar.update)
