"""``cvat-bridge init``: adds the attributes that hold identity and uncertainty to a task's labels, after asking."""

from __future__ import annotations

import argparse
import sys

from cvat_bridge.assembly import open_journal
from cvat_bridge.commands.common import add_server_arguments, names
from cvat_bridge.connection import connect
from cvat_bridge.ownership import ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE, missing_attributes, unfit_attributes
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Label, Task
from cvat_bridge.writer import CvatWriter
from spam_model.command_line import print_json
from spam_model.errors import InputError

WITHOUT = (
    "Without it sync works, too, and tells its tracks by their content; what is lost: only the journal on this "
    "machine knows what we pushed, so another machine, or a lost journal, takes our tracks for people's and leaves "
    "them; identities end at job borders, where somebody drags a box we cannot tell whose track it was, and undo "
    "needs the journal."
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "init",
        help="prepare a task's labels (once)",
        description=f"Adds two text attributes, {ID_ATTRIBUTE} and {UNCERTAINTY_ATTRIBUTE}, to the labels that are "
        f"to be found; asks first. Nothing else of a label changes. {WITHOUT}",
    )
    parser.add_argument("task", type=int, metavar="TASK_ID")
    parser.add_argument("--classes", type=names, default=("person",), help="labels to find (default: person)")
    parser.add_argument("--yes", action="store_true", help="do not ask; for scripts")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args) as client:
        reader = CvatReader(client)
        task = reader.task(args.task)  # CVAT answers 500 when asked for the labels of a task that is not there
        labels = _chosen(reader, task, args.classes)
        todo = [label for label in labels if missing_attributes(label)]
        changed: list[str] = []
        if todo and (args.yes or _agreed(task, todo)):
            with open_journal(client, args.state, args.task) as journal:
                writer = CvatWriter(client, reader, journal)
                for label in todo:
                    writer.add_label_attributes(label)
                    changed.append(label.name)
    without = [label.name for label in todo if label.name not in changed]
    if args.json:
        print_json({"task_id": args.task, "changed": changed, "without": without})
    elif without:
        print(f"nothing was changed. {WITHOUT}")
    else:
        print(f"{'added' if changed else 'the labels have what is needed'}; next: cvat-bridge plan {args.task}")
    return 0


def _chosen(reader: CvatReader, task: Task, classes: tuple[str, ...]) -> list[Label]:
    """
    Raises:
        InputError: a label is not there, or has attributes of our names that are not ours.
    """
    labels = {label.name: label for label in reader.labels(task.id)}
    unknown = [name for name in classes if name not in labels]
    if unknown:
        raise InputError(f"task {task.id} has no label {', '.join(unknown)}; it has: {', '.join(labels)}")
    unfit = [text for name in classes for text in unfit_attributes(labels[name])]
    if unfit:
        raise InputError(f"{'; '.join(unfit)}: rename it in CVAT, then run init again")
    return [labels[name] for name in classes]


def _agreed(task: Task, todo: list[Label]) -> bool:
    """Asks on stderr, so that stdout stays for machines.

    Raises:
        InputError: there is nobody to ask.
    """
    shared = f" They belong to project {task.project_id}: all its tasks get them." if task.project_id else ""
    names_of_labels = ", ".join(label.name for label in todo)
    print(
        f"{ID_ATTRIBUTE} and {UNCERTAINTY_ATTRIBUTE} (fixed texts) are to be added to: {names_of_labels}.{shared}\n"
        "Go on? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError as error:
        raise InputError("init changes labels and nobody is there to be asked: give --yes") from error
