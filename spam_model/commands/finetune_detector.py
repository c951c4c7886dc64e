"""``spam-model finetune-detector``: retrains a detector on a clip's own labels and answers; keeps the better one."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

from spam_model.command_line import print_json
from spam_model.commands.label import make_folder
from spam_model.data.clip import Clip
from spam_model.data.inputs import read_constraints, read_input, read_queries
from spam_model.data.label_files import QUERIES_SUFFIX, read_labels
from spam_model.data.motchallenge import find_sequence, read_ground_truth
from spam_model.detector_training.detectors import TRAINABLE
from spam_model.detector_training.finetune import GENTLY, Change, Finetuned, finetune
from spam_model.detector_training.trainable import Part
from spam_model.errors import InputError
from spam_model.values import Constraints, GroundTruth

DESCRIPTION = """Retrains a detector on the labels that `spam-model label` made of a clip, and on people's answers.

  spam-model detect CLIP -o c.safetensors
  spam-model label c.safetensors -o OUT
  spam-model finetune-detector CLIP --labels OUT/CLIP.txt -o tuned.safetensors
  spam-model detect CLIP -o c2.safetensors --detector yolov4-tiny:tuned.safetensors

Boxes of tracks are learnt at half weight, boxes that people accepted, drew or corrected at full weight; boxes that they
rejected are hard negatives; nothing is learnt where a question about a box is open, or, with --candidates, where a
candidate of good score lies on no track. The last frames of the clip are held out. The detector after is the better
one if its mean AP there (over IoU 0.5 … 0.95, against labels and answers) is higher than before; what is printed last
is what --detector should be from now on. Ground truth, where CLIP is a sequence folder with gt/gt.txt, is reported and
neither learnt from nor chosen by."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "finetune-detector",
        help="retrain a detector on a clip's own labels and answers",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="video, image folder or MOTChallenge folder")
    parser.add_argument("--labels", type=Path, required=True, metavar="TRACKS.txt", help="its labels, .txt or .json")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="new weights (.safetensors)")
    parser.add_argument("--constraints", type=Path, metavar="FILE", help="people's answers so far (JSON)")
    parser.add_argument("--candidates", type=Path, metavar="FILE", help="what the labels were made of")
    parser.add_argument(
        "--queries", type=Path, metavar="FILE", help="open questions (default: the file beside the labels, if there)"
    )
    parser.add_argument("--detector", default="yolov4-tiny", metavar="NAME", help=f"{TRAINABLE} (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=GENTLY.minutes, help="training time (default: %(default)g)")
    parser.add_argument("--steps", type=int, help="train this many steps, however long they take")
    parser.add_argument(
        "--holdout", type=float, default=0.3, help="share of the frames held out (default: %(default)g)"
    )
    parser.add_argument(
        "--part",
        choices=[part.value for part in Part],
        default=GENTLY.part.value,
        help="head: embeddings and motion stay what they are; deep: motion does; all: neither (default: %(default)s)",
    )
    parser.add_argument(
        "--learning-rate", type=float, default=GENTLY.learning_rate, help="at its highest (default: %(default)g)"
    )
    parser.add_argument(
        "--faithfulness",
        type=float,
        default=GENTLY.faithfulness,
        help="how much the maps that embeddings are read from are held to what they were (default: %(default)g)",
    )
    parser.add_argument("--frame-rate", type=float, help="frames/s, where the files do not say it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the weights; prints before and after, and the detector to use."""
    if not args.minutes > 0 or (args.steps is not None and args.steps < 1):
        raise InputError("--minutes and --steps: training takes more than nothing")
    clip = Clip.open(args.clip, frame_rate=args.frame_rate)
    labels = read_labels(args.labels, clip.info)
    beside = args.labels.with_name(f"{args.labels.stem}{QUERIES_SUFFIX}")
    queries = args.queries or (beside if beside.is_file() else None)
    make_folder(args.output.parent)
    result = finetune(
        clip,
        labels,
        read_constraints(args.constraints) if args.constraints else Constraints(),
        args.detector,
        args.output,
        candidates=read_input(args.candidates) if args.candidates else None,
        queries=read_queries(queries) if queries else (),
        truth=_truth(args.clip, clip),
        schedule=replace(
            GENTLY,
            minutes=args.minutes,
            steps=args.steps,
            learning_rate=args.learning_rate,
            part=Part(args.part),
            faithfulness=args.faithfulness,
        ),
        holdout=args.holdout,
        seed=args.seed,
        device=args.device,
        progress=True,
    )
    if args.json:
        print_json(asdict(result) | {"weights": str(result.weights), "is_better": result.is_better})
    else:
        print(_in_words(result), file=sys.stderr)
        print(result.detector)
    return 0


def _truth(path: Path, clip: Clip) -> GroundTruth | None:
    file = find_sequence(path).ground_truth if path.is_dir() else None
    return None if file is None else read_ground_truth(file, clip.info)


def _in_words(result: Finetuned) -> str:
    def words(change: Change) -> str:
        before, after = change.before, change.after
        return f"AP50 {before.ap50:.3f} → {after.ap50:.3f}, mean AP {before.mean_ap:.3f} → {after.mean_ap:.3f}"

    lines = [
        f"{result.steps} steps on {result.trained_frames} frames; on {result.held_out_frames} held-out ones",
        f"  against labels and answers: {words(result.on_labels)}",
    ]
    if result.on_truth is not None:
        lines.append(f"  against ground truth: {words(result.on_truth)} (reported only)")
    lines.append("the detector after is better:" if result.is_better else "the detector before is not worse; use it:")
    return "\n".join(lines)
