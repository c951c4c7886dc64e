"""``spam-model label``: candidates in, tracks and ranked questions out."""

from __future__ import annotations

import argparse
import sys
import time
from itertools import islice
from pathlib import Path

from spam_model.active.strategies import DEFAULT_STRATEGY, STRATEGIES, create_strategy, worth_asking
from spam_model.command_line import print_json
from spam_model.data.inputs import read_constraints, read_input
from spam_model.data.motchallenge import write_rows
from spam_model.errors import InputError
from spam_model.labeler import Labeler
from spam_model.storage import queries_to_bytes, write_atomically
from spam_model.values import Constraints

LISTED_QUERIES = 1000


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "label",
        help="label candidates: tracks, and the questions that would pay most",
        description="Writes OUT/<sequence>.txt (MOTChallenge rows) and OUT/<sequence>.queries.json, best first.",
    )
    parser.add_argument("input", type=Path, help="candidates.safetensors, or a MOTChallenge folder with det/det.txt")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--detections", default="det", metavar="NAME", help="use det/NAME.txt of the folder")
    parser.add_argument("--constraints", type=Path, help="people's answers so far (JSON)")
    parser.add_argument(
        "--strategy", choices=list(STRATEGIES), default=DEFAULT_STRATEGY, help="how questions are ranked"
    )
    parser.add_argument("--weights", type=Path, help="weights made by spam-model train (default: the shipped ones)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    candidates = read_input(args.input, args.detections)
    constraints = read_constraints(args.constraints) if args.constraints else Constraints()
    make_folder(args.out)
    labeler = Labeler.load(args.weights, args.device)
    started = time.perf_counter()
    result = labeler.label(candidates, constraints, progress=sys.stderr.isatty())
    seconds = time.perf_counter() - started
    answered = {item.query_id for item in constraints.items}
    ranked = worth_asking(create_strategy(args.strategy), result)
    queries = tuple(islice((query for query in ranked if query.id not in answered), LISTED_QUERIES))

    name = candidates.info.name
    write_rows(result.labels, args.out / f"{name}.txt")
    write_atomically(args.out / f"{name}.queries.json", queries_to_bytes(queries))
    summary = {
        "sequence": name,
        "frames": candidates.info.frame_count,
        "candidates": len(candidates),
        "tracks": len(result.labels.track_ids),
        "boxes": len(result.labels),
        "queries": len(queries),
        "conflicts": list(result.conflicts),
        "unmatched_constraints": len(result.unmatched),
        "model": labeler.version,
        "seconds": round(seconds, 3),
        "labels_file": str(args.out / f"{name}.txt"),
        "queries_file": str(args.out / f"{name}.queries.json"),
    }
    for conflict in result.conflicts:
        print(f"spam-model: answers contradict each other: {conflict}", file=sys.stderr)
    if args.json:
        print_json(summary)
    else:
        print(
            f"{name}: {summary['frames']} frames, {summary['candidates']} candidates → {summary['tracks']} tracks, "
            f"{summary['boxes']} boxes in {seconds:.1f} s\n{summary['labels_file']}\n{summary['queries_file']}"
        )
    return 0


def make_folder(path: Path) -> None:
    """Before the work, not after it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror or error}") from error
