"""``cvat-bridge undo``: takes back what runs wrote, as far as nobody has worked on it since."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict

from cvat_bridge.assembly import undo_task
from cvat_bridge.commands.common import add_server_arguments
from cvat_bridge.connection import connect
from cvat_bridge.progress import Progress
from cvat_bridge.undo import UndoReport
from spam_model.command_line import print_json

LISTED_CONFLICTS = 20


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "undo",
        help="take back what was pushed, as far as nobody has worked on it since",
        description="Removes the tracks that we pushed and puts back those of ours that they replaced. A track that "
        "a person drew, edited or deleted stays as it is and is listed, and so does every finished job. Review tasks "
        "go where nobody has opened a job yet; answers that were given are kept. Look first with --dry-run. Calling "
        "it twice does no more than calling it once; interrupted, it is finished by calling it again. A later sync "
        "pushes again.",
    )
    parser.add_argument("task", type=int, metavar="TASK_ID")
    parser.add_argument(
        "--run",
        dest="since",
        type=_run,
        metavar="RUN",
        help="take back this run and all later ones, for example r3; without it, all runs. Each sync that changes "
        "tracks is a run, and so is each undo",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and send nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def _run(text: str) -> str:
    if re.fullmatch(r"r\d+", text, re.ASCII) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no run; runs are called r1, r2, …")
    return text


def run(args: argparse.Namespace) -> int:
    with connect(args) as client:
        report = undo_task(client, args.task, args.state, args.since, args.dry_run, Progress(quiet=args.json))
    if args.json:
        print_json(asdict(report))
    else:
        print(describe(report))
    return 0


def describe(report: UndoReport) -> str:
    """The report in words, with what to do next."""
    changes = report.changes
    planned = report.phase == "planned"
    if not report.runs and not report.review_tasks:
        return f"task {report.task_id}: nothing of ours stands there"
    lines = [
        f"task {report.task_id}, {', '.join(report.runs) or 'no run'}: {changes['remove']} tracks of ours "
        f"{'to remove' if planned else 'removed'}, {changes['restore']} {'to put' if planned else 'put'} back, "
        f"{changes['keep']} kept, {changes['persons']} of people left alone",
        *(f"review task {number}: {'to be removed' if planned else 'removed'}" for number in report.review_tasks),
        *(f"review task {number}: stays, somebody has worked in it" for number in report.kept_review_tasks),
    ]
    for conflict in report.conflicts[:LISTED_CONFLICTS]:
        what = "left as it is" if conflict.identity is None else f"object {conflict.identity} left as it is"
        lines.append(f"job {conflict.job_id}: {what}: {conflict.reason}")
    if len(report.conflicts) > LISTED_CONFLICTS:
        lines.append(f"… and {len(report.conflicts) - LISTED_CONFLICTS} more; --json lists all")
    lines += report.notes
    if planned:
        lines.append("dry run: nothing was sent; run it without --dry-run")
    return "\n".join(lines)
