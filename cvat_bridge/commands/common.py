"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from cvat_bridge.connection import configure_arguments
from cvat_bridge.journal import default_state_root


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """The SDK's own ways to name a server and log in, and where our journals lie."""
    group = parser.add_argument_group("CVAT server and login (as in cvat-cli)")
    configure_arguments(group)
    parser.add_argument(
        "--state",
        type=Path,
        default=default_state_root(),
        metavar="DIR",
        help="where journals, candidates and cards are kept (default: %(default)s)",
    )


def fraction(text: str) -> float:
    """A share of the full effort, 0 … 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no fraction between 0 and 1, for example 0.033")
    return value


def minutes(text: str) -> float:
    """More than none."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes above 0")
    return value


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
