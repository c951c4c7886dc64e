"""``cvat-bridge status``: where a task stands, without changing anything."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from cvat_bridge.assembly import read_journal, rebuild_journal
from cvat_bridge.commands.common import add_server_arguments
from cvat_bridge.connection import connect
from cvat_bridge.server import CvatReader
from spam_model.command_line import format_table, print_json
from spam_model.errors import InputError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "status",
        help="rounds, clicks and review jobs of a task",
        description="Reads the task's journal and the review jobs in CVAT; changes nothing there. --rebuild makes a "
        "journal that was lost again from CVAT, answers included, and says what is not known any more; the next sync "
        "would do so, too.",
    )
    parser.add_argument("task", type=int, metavar="TASK_ID")
    parser.add_argument("--rebuild", action="store_true", help="make a lost journal again from CVAT first")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with ExitStack() as stack:
        client = stack.enter_context(connect(args))
        notes = rebuild_journal(client, args.task, args.state) if args.rebuild else ()
        journal = stack.enter_context(read_journal(client, args.state, args.task))
        session, rounds = journal.session(), journal.rounds()
        if session is None:
            raise InputError(f"task {args.task} has no journal in {args.state}: run cvat-bridge sync {args.task} first")
        reader = CvatReader(client)
        rows = []
        for row in rounds:
            jobs = reader.jobs(row.review_task) if row.review_task else ()
            asked = sum(entry.round == row.number for entry in session.ledger.entries)
            charged = sum(entry.charged for entry in session.ledger.entries if entry.round == row.number)
            completed = sum(job.state == "completed" for job in jobs)
            rows.append((row.number, row.state, row.review_task, asked, f"{completed} of {len(jobs)}", charged))
    ledger = session.ledger
    if args.json:
        header = ("round", "state", "review_task", "questions", "jobs_completed", "clicks")
        print_json(
            {
                "task_id": args.task,
                "clicks": ledger.spent,
                "budget_clicks": ledger.budget,
                "effort": ledger.effort,
                "rounds": [dict(zip(header, row, strict=True)) for row in rows],
                "notes": notes,
            }
        )
    else:
        print(*notes, sep="\n", end="\n" if notes else "")
        print(f"task {args.task}: {ledger.spent} of {ledger.budget} clicks ({ledger.effort:.1%} of labelling by hand)")
        print(format_table(("round", "state", "review task", "questions", "jobs done", "clicks"), rows))
    return 0
