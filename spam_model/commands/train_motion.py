"""``spam-model train-motion``: trains the motion model on the feature maps of a frozen detector."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from spam_model.detectors.joint import JointDetector
from spam_model.detectors.registry import create_detector
from spam_model.device import resolve_device
from spam_model.errors import InputError
from spam_model.motion.model import Backbone, MotionModel
from spam_model.motion.motion_training import (
    CALIBRATION_HARD,
    TrainedMotion,
    TripletSampler,
    calibrate,
    train_motion,
)
from spam_model.motion.training_data import RENDERED, read_training_data

DESCRIPTION = f"""Train the motion model (SiamMOT's EMM and IMM) on the feature maps of a detector, which stays frozen.

DATA is any of
  {RENDERED}         street scenes of our own, drawn when needed
  SEQ_DIR          a MOTChallenge folder with frames and gt/gt.txt
  IMAGE_SET        a folder with images/ and labels/labels.csv (image, x1, y1, x2, y2): each image is moved about

  spam-model train-motion {RENDERED} ../shared/people/open/* -o motion.safetensors --minutes 20

The features of all frames are computed first, into --cache (about 6 MB a frame; by default a temporary folder)."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "train-motion",
        help="train the motion model on a detector's feature maps",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", nargs="+", metavar="DATA", help=f"{RENDERED}, MOTChallenge folders, image sets")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="WEIGHTS", help="weights, as safetensors")
    parser.add_argument("--detector", default="yolov4-tiny", help="whose feature maps (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=10.0, help="training time (default: %(default)g)")
    parser.add_argument("--steps", type=int, help="train this many steps, however long they take")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="go on from these instead of from chance")
    parser.add_argument("--images", type=int, default=60, help="at most so many of an image set (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of data and initial weights (default: %(default)s)")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="for the features; several GB")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda, of the detector (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the weights; what they were made of stands in their header."""
    if not args.minutes > 0 or (args.steps is not None and args.steps < 1) or args.images < 2:
        raise InputError("--minutes and --steps are more than 0, --images 2 or more")
    detector = create_detector(args.detector, device=str(resolve_device(args.device)))
    if not isinstance(detector, JointDetector):
        raise InputError(f"--detector {args.detector} gives no feature maps; use yolov4-tiny, small or a yolox")
    with tempfile.TemporaryDirectory(prefix="cvat-spam-") as temporary:
        cache = args.cache or Path(temporary)
        sequences, bank = read_training_data(args.data, detector, cache, seed=args.seed, images=args.images)
        torch.manual_seed(args.seed)
        model = MotionModel(Backbone(detector.name, detector.strides, detector.channels))
        if args.start is not None:
            model.load_state_dict(MotionModel.load(args.start).state_dict())
        sampler = TripletSampler(sequences, bank, np.random.default_rng(args.seed))
        done = train_motion(sampler, model, minutes=args.minutes, steps=args.steps)
        calibrate(done.model, TripletSampler(sequences, bank, np.random.default_rng(args.seed + 1), CALIBRATION_HARD))
    summary = _summary(args, done, len(bank), sorted({sequence.name for sequence in sequences}))
    done.model.save(args.output, about=summary)
    if args.json:
        print(json.dumps(summary))
    else:
        print(
            f"{done.steps} steps in {done.seconds:.0f} s on {len(bank)} frames, {done.triplets} triplets; losses "
            f"{summary['losses']} -> {args.output}",
            file=sys.stderr,
        )
    return 0


def _summary(args: argparse.Namespace, done: TrainedMotion, frames: int, sources: list[str]) -> dict[str, object]:
    words = ["spam-model", "train-motion", *args.data, "-o", str(args.output), "--detector", args.detector]
    words += ["--start", str(args.start)] if args.start is not None else []
    words += ["--minutes", f"{args.minutes:g}"] if args.steps is None else ["--steps", str(args.steps)]
    late = np.mean(done.losses[-50:], axis=0)
    return {
        "command": shlex.join([*words, "--images", str(args.images), "--seed", str(args.seed)]),
        "output": str(args.output),
        "detector": args.detector,
        "sources": sources,
        "frames": frames,
        "triplets": done.triplets,
        "steps": done.steps,
        "seconds": round(done.seconds, 1),
        "losses": {name: round(float(v), 4) for name, v in zip(("visibility", "box", "implicit"), late, strict=True)},
    }
