"""How a task is to be labelled: arguments that ``sync``, ``plan`` and ``watch`` share."""

from __future__ import annotations

import argparse

from cvat_bridge.commands.common import fraction, names
from cvat_bridge.sync import DEFAULT_BUDGET, DEFAULT_ROUNDS, SyncOptions
from spam_model.active.baselines.ensemble import Ensemble
from spam_model.active.registry import DEFAULT_STRATEGY, STRATEGIES

SETTINGS = ("backend", "detector", "classes", "frame_rate", "min_score")


def add_labelling_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--budget",
        type=fraction,
        help=f"clicks to spend, as a share of labelling everything by hand (first call: {DEFAULT_BUDGET})",
    )
    parser.add_argument("--rounds", type=int, help=f"over how many rounds (first call: {DEFAULT_ROUNDS})")
    add_asking_arguments(parser)
    parser.add_argument("--backend", help="local, or the address of a deployed function, http://host:port")
    parser.add_argument(
        "--detector",
        help="yolov4-tiny, onnx-yolox:FILE, file:DET.TXT, or cvat:FUNCTION_ID, a detector function of your CVAT; where "
        "its labels have other names, cvat:FUNCTION_ID,FUNCTION_LABEL=CLASS (default: yolov4-tiny)",
    )
    parser.add_argument("--classes", type=names, help="labels to find, comma-separated (default: person)")
    parser.add_argument("--frame-rate", type=float, help="frames per second of the task's frames (default: 25)")
    parser.add_argument("--min-score", type=fraction, help="keep candidates from this score on (default: 0.1)")


def add_asking_arguments(parser: argparse.ArgumentParser) -> None:
    """What is not kept from one call to the next."""
    parser.add_argument(
        "--reviewer", action="append", default=[], metavar="USER", help="who gets review jobs; repeatable"
    )
    others = ", ".join(name for name in STRATEGIES if name not in (DEFAULT_STRATEGY, Ensemble.name))
    parser.add_argument(
        "--strategy",
        metavar="NAME",
        help=f"how questions are chosen (default: {DEFAULT_STRATEGY}, by expected label error removed per click; "
        f"for comparison: {others}, or a pair of them, BOXES/LINKS)",
    )


def said_settings(args: argparse.Namespace) -> dict[str, object]:
    """The settings that this command line names; the others stay as they were."""
    return {name: value for name in SETTINGS if (value := getattr(args, name)) is not None}


def said_options(args: argparse.Namespace, dry_run: bool = False) -> SyncOptions:
    strategy = args.strategy or DEFAULT_STRATEGY
    return SyncOptions(args.budget, args.rounds, strategy, tuple(args.reviewer), dry_run)


def says_anything(args: argparse.Namespace) -> bool:
    """Whether the command line names any of these arguments."""
    named = (args.budget, args.rounds, args.strategy, *args.reviewer)
    return bool(said_settings(args)) or any(value is not None for value in named)
