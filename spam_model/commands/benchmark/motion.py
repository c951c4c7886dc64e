"""``spam-model benchmark motion``: how well boxes are propagated through the pixels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spam_model.command_line import format_table, print_json
from spam_model.data.clip import Clip
from spam_model.data.inputs import read_truth
from spam_model.detectors.joint import JointDetector
from spam_model.detectors.registry import create_detector
from spam_model.errors import InputError
from spam_model.evaluation.propagation_accuracy import METHODS, PropagationAccuracy, propagation_accuracy
from spam_model.motion.model import SHIPPED_WEIGHTS, MotionModel
from spam_model.motion.propagation import ClipFeatures

GAPS = (1, 5, 15, 30)
DESCRIPTION = """Boxes of the ground truth are carried over 1, 5, 15 and 30 frames: by constant velocity, by SiamMOT's
implicit (IMM) and by its explicit motion model (EMM). All begin with the velocity of the frames before; printed is the
mean IoU with the ground truth, and what one box costs in one frame.

  spam-model benchmark motion data/tune/MOT15/TUD-Campus"""


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "motion",
        help="boxes propagated over 1, 5, 15 and 30 frames",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sequences", type=Path, nargs="+", metavar="SEQ_DIR", help="MOTChallenge folders with frames and gt"
    )
    parser.add_argument("--detector", default="yolov4-tiny", help="whose feature maps (default: %(default)s)")
    parser.add_argument("--motion", type=Path, default=SHIPPED_WEIGHTS, help="weights of spam-model train-motion")
    parser.add_argument("--every", type=int, default=5, help="begin at every so many frames (default: %(default)s)")
    parser.add_argument("--history", type=int, default=5, help="frames that the velocity is of (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.every < 1 or args.history < 1:
        raise InputError("--every and --history are 1 or more")
    detector = create_detector(args.detector, device=args.device)
    if not isinstance(detector, JointDetector):
        raise InputError(f"--detector {args.detector} gives no feature maps; use yolov4-tiny")
    model = MotionModel.load(args.motion, detector.device)
    results: dict[str, PropagationAccuracy] = {}
    for folder in args.sequences:
        truth, clip = read_truth(folder), Clip.open(folder)
        with tqdm(total=truth.info.frame_count, desc=f"motion ({truth.info.name})", unit="frame", disable=None) as bar:
            results[truth.info.name] = propagation_accuracy(
                model,
                ClipFeatures(clip, detector, model, kept=max(GAPS) + args.every + 1),
                truth,
                gaps=GAPS,
                history=args.history,
                every=args.every,
                progress=bar.update,
            )
    if args.json:
        print_json({"detector": detector.name, "device": detector.device, "sequences": _as_dicts(results)})
    else:
        header = ["sequence", "method", *(f"IoU at {gap}" for gap in GAPS), "ms a box"]
        print(format_table(header, _rows(results)))
    return 0


def _as_dicts(results: dict[str, PropagationAccuracy]) -> dict[str, Any]:
    return {
        name: {"iou": result.iou, "boxes": result.boxes, "milliseconds": result.milliseconds}
        for name, result in results.items()
    }


def _rows(results: dict[str, PropagationAccuracy]) -> list[list[object]]:
    rows: list[list[object]] = []
    for name, result in results.items():
        for method in METHODS:
            cells = ["–" if value is None else f"{value:.3f}" for value in result.iou[method].values()]
            cost = result.milliseconds.get(method)
            rows.append([name, method, *cells, None if cost is None else f"{cost:.2f}"])
        rows.append([name, "boxes", *(str(count) for count in result.boxes.values()), None])
    return rows
