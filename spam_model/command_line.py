"""What both command lines share: one place turns a known error into a line on stderr and an exit code."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType

from spam_model.errors import SpamError

INTERRUPTED = 130
EXIT_CODES = """exit codes:
  0  done                          4  people's answers contradict each other
  1  failed                        5  weights could not be fetched or verified
  2  an input cannot be used       6  the model's function host failed
  3  the device is not there       7  CVAT refused, failed or is not reachable"""


def build_parser(name: str, description: str, commands: Iterable[ModuleType], version: str) -> argparse.ArgumentParser:
    """One sub-command per module; each module has ``add_parser(subparsers)`` and sets ``run`` as its default."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version}")
    parser.add_argument("--verbose", action="store_true", help="say more on stderr, and show tracebacks")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in commands:
        command.add_parser(subparsers)
    return parser


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parses, runs the command, returns the exit code."""
    args = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    try:
        code = int(args.run(args))
        sys.stdout.flush()  # here, where a closed pipe is understood, not at the interpreter's exit
        return code
    except SpamError as error:
        if args.verbose:
            logging.getLogger(parser.prog).exception("failed")
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted; run the same command again to go on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def print_json(value: object) -> None:
    """The one JSON object that ``--json`` promises on stdout."""
    print(json.dumps(value, indent=1))


def format_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns aligned for a terminal; numbers to the right."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
