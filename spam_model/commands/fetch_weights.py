"""``spam-model fetch-weights``: detector weights into the cache, checked against their SHA-256."""

from __future__ import annotations

import argparse
import sys

from spam_model.command_line import format_table, print_json
from spam_model.detectors.fetch import WEIGHTS, cache_folder, fetch_weights, is_cached

EPILOG = """An interrupted download goes on where it broke off. Offline: fetch the file elsewhere and put it where
--list says; it is checked all the same. Proxies are taken from HTTPS_PROXY, certificates from SSL_CERT_FILE, pip's
settings from pip. The makers of YOLOX publish no checksums: ours are those that independent projects agree on."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "fetch-weights", help="fetch a detector's weights once", description=__doc__, epilog=EPILOG
    )
    parser.add_argument(
        "name",
        nargs="?",
        default="yolov4-tiny",
        choices=WEIGHTS,
        metavar="NAME",
        help=f"{', '.join(WEIGHTS)} (default: %(default)s)",
    )
    parser.add_argument("--list", action="store_true", help="fetch nothing; say what is there and where it would lie")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.list:
        entries = [_entry(name) for name in WEIGHTS]
        if args.json:
            print_json({"cache": str(cache_folder()), "weights": entries})
        else:
            rows = [(e["name"], "yes" if e["cached"] else "no", e["licence"], e["folder"]) for e in entries]
            print(format_table(("name", "cached", "licence", "folder"), rows))
        return 0
    folder = fetch_weights(args.name)
    if args.json:
        print_json(_entry(args.name))
        return 0
    source = WEIGHTS[args.name]
    print(f"{args.name}: from {source.origin} ({source.licence} licence), checksums match", file=sys.stderr)
    print(folder)
    return 0


def _entry(name: str) -> dict[str, object]:
    source = WEIGHTS[name]
    return {
        "name": name,
        "cached": is_cached(name),
        "licence": source.licence,
        "origin": source.origin,
        "folder": str(cache_folder() / name),
        "sha256": source.digests,
    }
