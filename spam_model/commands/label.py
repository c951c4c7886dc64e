"""``spam-model label``: candidates in, tracks and ranked questions out."""

from __future__ import annotations

import argparse
import math
import sys
import time
from itertools import islice
from pathlib import Path

from spam_model.active.registry import DEFAULT_STRATEGY, STRATEGIES, create_strategy
from spam_model.active.strategies import worth_asking
from spam_model.command_line import print_json
from spam_model.data.inputs import read_constraints, read_input
from spam_model.data.label_files import FORMATS, QUERIES_SUFFIX
from spam_model.errors import InputError
from spam_model.labeler import Labeler
from spam_model.postprocess import PostprocessSettings
from spam_model.storage import queries_to_bytes, write_atomically
from spam_model.values import Constraints

LISTED_QUERIES = 1000


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "label",
        help="label candidates: tracks, and the questions that would pay most",
        description="Writes OUT/<sequence>.txt (MOTChallenge rows) or OUT/<sequence>.json (COCO-video), "
        "and OUT/<sequence>.queries.json, best first.",
    )
    parser.add_argument("input", type=Path, help="candidates.safetensors, or a MOTChallenge folder with det/det.txt")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        help="folder for the results, or the labels file itself (FILE.txt or FILE.json, as the format has it)",
    )
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        default="mot",
        help="mot: MOTChallenge rows; coco-video: COCO JSON with videos, as MMTracking reads it (default: %(default)s)",
    )
    parser.add_argument("--detections", default="det", metavar="NAME", help="use det/NAME.txt of the folder")
    parser.add_argument("--constraints", type=Path, help="people's answers so far (JSON)")
    parser.add_argument(
        "--strategy", choices=list(STRATEGIES), default=DEFAULT_STRATEGY, help="how questions are ranked"
    )
    parser.add_argument("--weights", type=Path, help="weights made by spam-model train (default: the shipped ones)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    _add_postprocess_options(parser)
    parser.set_defaults(run=run)


def _add_postprocess_options(parser: argparse.ArgumentParser) -> None:
    default = PostprocessSettings()
    group = parser.add_argument_group("post-processing", "Times in seconds; HOTA is the mean over three tuning videos.")

    def add(name: str, value: float, text: str) -> None:
        group.add_argument(name, type=_seconds, metavar="S", default=value, help=f"{text} (default: %(default)s)")

    add(
        "--max-gap",
        default.max_gap,
        "longest gap of a track that is filled, on a straight line; 0 fills none. 0 costs 6 HOTA, 1 to 2 score alike, "
        "3 costs 2",
    )
    add(
        "--max-confirmed-gap",
        default.max_confirmed_gap,
        "the same where a person said that it is one object on both sides; below --max-gap it changes nothing",
    )
    add(
        "--smoothing",
        default.smoothing,
        "sigma of the smoothing of the boxes over time; 0 leaves them as detected. 0 costs 2 HOTA, 0.08 to 0.16 score "
        "alike",
    )
    add(
        "--min-duration",
        default.min_duration,
        "drop tracks with fewer boxes than this time has frames (of a short clip, than half its frames), unless a "
        "person vouches for one. 0 to 0.8 score alike",
    )
    group.add_argument(
        "--clip",
        action="store_true",
        help="cut boxes at the image border. Off by default, because the ground truth of MOT17 goes on beyond the "
        "border: there, cutting perfect tracks costs 3 to 6 HOTA",
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"a time in seconds is at least 0, got {text}")
    return value


def run(args: argparse.Namespace) -> int:
    candidates = read_input(args.input, args.detections)
    constraints = read_constraints(args.constraints) if args.constraints else Constraints()
    name = candidates.info.name
    labels_file, queries_file = output_files(args.out, name, FORMATS[args.format].suffix)
    make_folder(labels_file.parent)
    settings = PostprocessSettings(
        max_gap=args.max_gap,
        max_confirmed_gap=args.max_confirmed_gap,
        smoothing=args.smoothing,
        min_duration=args.min_duration,
        clip=args.clip,
    )
    labeler = Labeler.load(args.weights, args.device, settings)
    started = time.perf_counter()
    result = labeler.label(candidates, constraints, progress=sys.stderr.isatty())
    seconds = time.perf_counter() - started
    answered = {item.query_id for item in constraints.items}
    ranked = worth_asking(create_strategy(args.strategy), result)
    queries = tuple(islice((query for query in ranked if query.id not in answered), LISTED_QUERIES))

    FORMATS[args.format].write(result.labels, labels_file)
    write_atomically(queries_file, queries_to_bytes(queries))
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
        "labels_file": str(labels_file),
        "queries_file": str(queries_file),
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


def output_files(out: Path, name: str, suffix: str) -> tuple[Path, Path]:
    """The labels file and the queries file: ``<name><suffix>`` in the folder ``out``, or ``out`` itself.

    Raises:
        InputError: ``out`` names a labels file of another format.
    """
    if out.is_dir() or out.suffix not in {label_format.suffix for label_format in FORMATS.values()}:
        out = out / f"{name}{suffix}"
    elif out.suffix != suffix:
        raise InputError(f"{out}: labels of this format go into a {suffix} file; choose another --format or name")
    return out, out.with_name(out.name.removesuffix(suffix) + QUERIES_SUFFIX)


def make_folder(path: Path) -> None:
    """Before the work, not after it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror or error}") from error
