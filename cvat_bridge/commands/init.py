"""``cvat-bridge init``: adds the attributes that hold identity and uncertainty to a task's labels."""

from __future__ import annotations

import argparse

from cvat_bridge.assembly import open_journal
from cvat_bridge.commands.common import add_server_arguments, names
from cvat_bridge.connection import connect
from cvat_bridge.ownership import ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE
from cvat_bridge.server import CvatReader
from cvat_bridge.writer import CvatWriter
from spam_model.errors import InputError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "init",
        help="prepare a task's labels (once)",
        description=f"Adds two text attributes, {ID_ATTRIBUTE} and {UNCERTAINTY_ATTRIBUTE}, to the labels that are "
        "to be found. Without them sync works too, but recognises its own tracks by the journal on this machine alone, "
        "and identities are lost at job borders.",
    )
    parser.add_argument("task", type=int, metavar="TASK_ID")
    parser.add_argument("--classes", type=names, default=("person",), help="labels to find (default: person)")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args) as client:
        reader = CvatReader(client)
        reader.task(args.task)  # CVAT answers 500 when asked for the labels of a task that is not there
        labels = {label.name: label for label in reader.labels(args.task)}
        unknown = [name for name in args.classes if name not in labels]
        if unknown:
            raise InputError(f"task {args.task} has no label {', '.join(unknown)}; it has: {', '.join(labels)}")
        todo = [
            labels[name]
            for name in args.classes
            if any(labels[name].attribute(a) is None for a in (ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE))
        ]
        if not todo:
            print("the labels have what is needed")
            return 0
        question = (
            f"add {ID_ATTRIBUTE} and {UNCERTAINTY_ATTRIBUTE} to {', '.join(label.name for label in todo)}? [y/N] "
        )
        if not args.yes and input(question).strip().lower() not in ("y", "yes"):
            print("nothing was changed")
            return 0
        with open_journal(client, args.state, args.task) as journal:
            writer = CvatWriter(client, reader, journal)
            for label in todo:
                writer.add_label_attributes(label)
    print(f"added; next: cvat-bridge sync {args.task}")
    return 0
