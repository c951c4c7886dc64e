"""``cvat-bridge plan``: what a sync would add, change, remove and ask, before anything is sent."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from cvat_bridge.assembly import plan_task
from cvat_bridge.commands.common import add_server_arguments
from cvat_bridge.commands.labelling import add_labelling_arguments, said_options, said_settings
from cvat_bridge.connection import connect
from cvat_bridge.progress import Progress
from cvat_bridge.saved_plan import write_plan
from cvat_bridge.sync import SyncReport
from spam_model.command_line import print_json


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "plan",
        help="what a sync would add, change, remove and ask",
        description="Finds candidates and labels them, compares the tracks with what stands in CVAT, chooses the "
        "questions, and sends nothing. With -o the plan is kept: sync --plan FILE then does just that, or refuses and "
        "names what has changed since: frames, labels, jobs, annotations, answers, settings or model.",
    )
    parser.add_argument("task", type=int, metavar="TASK_ID")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="keep the plan, for sync --plan")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_labelling_arguments(parser)
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args) as client:
        plan = plan_task(
            client, args.task, args.state, said_settings(args), said_options(args), Progress(quiet=args.json)
        )
    if args.out:
        write_plan(args.out, plan)
    if args.json:
        print_json(asdict(plan.report))
        return 0
    print(describe(plan.report))
    if args.out:
        print(f"kept in {args.out}: cvat-bridge sync {args.task} --plan {args.out}")
    else:
        print(f"to do it: cvat-bridge sync {args.task}, with the same options")
    return 0


def describe(report: SyncReport) -> str:
    """The plan in words."""
    changes = report.changes
    lines = [
        f"task {report.task_id}, nothing was sent:",
        f"  + {changes['create']} tracks to add, − {changes['remove']} of ours to remove or replace, "
        f"= {changes['keep']} of ours stay",
        f"    {changes['persons']} tracks of people are left alone, {changes['covered_by_persons']} of ours are left "
        "out because of them",
    ]
    if changes["finished_jobs"]:
        lines.append(f"    {changes['finished_jobs']} finished jobs are left as they are")
    if report.waiting_jobs:
        lines.append(f"  ? nothing is asked: {report.waiting_jobs} review jobs of round {report.round} still wait")
    elif report.would_ask:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.would_ask.items())
        lines.append(f"  ? {sum(report.would_ask.values())} questions ({kinds}), {report.would_click} clicks")
    else:
        lines.append("  ? nothing is asked: the budget is spent, or nothing is uncertain")
    lines.append(f"clicks so far: {report.clicks} of {report.budget_clicks} ({report.effort:.1%} of labelling by hand)")
    lines += [f"answers contradict each other: {conflict}" for conflict in report.conflicts]
    lines += report.notes
    return "\n".join(lines)
