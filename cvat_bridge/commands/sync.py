"""``cvat-bridge sync``: labels, pushes, asks, takes the answers back; as far as it can."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

from cvat_sdk.core.client import Client

from cvat_bridge.assembly import apply_plan, sync_task
from cvat_bridge.commands.common import add_server_arguments, count, minutes
from cvat_bridge.commands.labelling import add_labelling_arguments, said_options, said_settings, says_anything
from cvat_bridge.connection import connect
from cvat_bridge.many import Outcome, for_each_task
from cvat_bridge.progress import Progress
from cvat_bridge.saved_plan import read_plan
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import SyncReport
from spam_model.command_line import print_json
from spam_model.detector_training.finetune import GENTLY
from spam_model.errors import InputError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "sync",
        help="label tasks, push tracks, ask reviewers, take their answers in",
        description="Goes as far as it can: finds candidates, labels them, pushes tracks to the task's jobs, opens "
        "review jobs for what is uncertain. Call it again when reviewers have finished their jobs. Settings are kept "
        "per task from the first call on. Nothing that a person drew or edited is changed, and nothing is sent when "
        "nothing is new. With several tasks, one that fails does not stop the others.",
    )
    parser.add_argument("tasks", type=int, nargs="*", metavar="TASK_ID")
    parser.add_argument("--project", type=int, metavar="ID", help="all tasks of this project")
    parser.add_argument(
        "--parallel", type=count, default=1, metavar="N", help="so many tasks at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--plan", type=Path, metavar="FILE", help="do what plan -o FILE said, or refuse where the task has changed"
    )
    parser.add_argument(
        "--retrain",
        type=minutes,
        nargs="?",
        const=GENTLY.minutes,
        metavar="MINUTES",
        help=f"once answers have come in, train the detector on this task's labels and answers (default: "
        f"{GENTLY.minutes:g} min of processor time); if it is better on frames held out, go on with its candidates, to "
        "which answers are carried over. Say it after TASK_ID. For --backend local and yolov4-tiny, small or yolox",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what a push would change, and send nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_labelling_arguments(parser)
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if not args.tasks and args.project is None and args.plan is None:
        raise InputError("which task? Give one or more TASK_ID, --project ID, or --plan FILE")
    with connect(args) as client:
        host = client.api_client.configuration.host
        if args.plan is not None:
            report = _as_planned(client, args, host)
        elif args.project is None and len(args.tasks) == 1:
            report = _sync(client, args.tasks[0], args, Progress(quiet=args.json))
        else:
            return _sync_many(client, args, host)
    if args.json:
        print_json(asdict(report))
    else:
        print(describe(report, host))
    return 0


def _sync(client: Client, task_id: int, args: argparse.Namespace, progress: Progress) -> SyncReport:
    options = replace(said_options(args, args.dry_run), retrain=args.retrain)
    return sync_task(client, task_id, args.state, said_settings(args), options, progress)


def _as_planned(client: Client, args: argparse.Namespace, host: str) -> SyncReport:
    if says_anything(args) or args.dry_run or args.retrain is not None or args.project is not None:
        raise InputError("--plan brings its own task, settings and options: say them to cvat-bridge plan")
    plan = read_plan(args.plan)
    plan.check_place(host, args.tasks or [plan.task_id])
    return apply_plan(client, plan, args.state, Progress(quiet=args.json))


def _sync_many(client: Client, args: argparse.Namespace, host: str) -> int:
    reader = CvatReader(client)
    of_project = [task.id for task in reader.tasks_of(args.project)] if args.project is not None else []
    task_ids = sorted({*args.tasks, *of_project})
    if not task_ids:
        raise InputError(f"project {args.project} has no task that this account may see")
    outcomes: list[Outcome[SyncReport]] = []
    quiet = Progress(quiet=True)  # bars of several tasks would overwrite each other
    with Progress(quiet=args.json).bar("tasks", len(task_ids), "task") as advance:
        for outcome in for_each_task(task_ids, lambda task_id: _sync(client, task_id, args, quiet), args.parallel):
            outcomes.append(outcome)
            advance(1)
            if outcome.error is not None:
                print(f"cvat-bridge: task {outcome.task_id}: {outcome.error}", file=sys.stderr)
            elif outcome.result is not None and not args.json:
                print(describe(outcome.result, host), flush=True)
    outcomes.sort(key=lambda outcome: outcome.task_id)
    failed = [(outcome.task_id, outcome.error) for outcome in outcomes if outcome.error]
    if args.json:
        print_json(
            {
                "tasks": [asdict(outcome.result) for outcome in outcomes if outcome.result],
                "failed": [
                    {"task_id": task_id, "error": str(error), "exit_code": error.exit_code} for task_id, error in failed
                ],
            }
        )
    else:
        print(f"{len(outcomes) - len(failed)} of {len(outcomes)} tasks synced")
    return failed[0][1].exit_code if failed else 0


def describe(report: SyncReport, host: str) -> str:
    """The report in words, with what to do next."""
    changes = report.changes
    lines = [
        f"task {report.task_id}: {changes['create']} tracks to create, {changes['remove']} of ours replaced, "
        f"{changes['keep']} kept, {changes['persons']} of people left alone",
        f"clicks: {report.clicks} of {report.budget_clicks} ({report.effort:.1%} of labelling by hand), "
        f"round {report.round} of {report.rounds}",
        *([f"{finished} finished jobs were left as they are"] if (finished := changes["finished_jobs"]) else []),
        *(f"answers contradict each other: {conflict}" for conflict in report.conflicts),
        *report.notes,
    ]
    if report.phase == "planned":
        lines.append("dry run: nothing was sent; run it without --dry-run to push and ask")
    elif report.phase == "waiting":
        lines.append(
            f"{report.questions} questions wait in {report.waiting_jobs} review jobs: "
            f"{host}/tasks/{report.review_task}\n"
            "run sync again when reviewers have finished them"
        )
    else:
        lines.append("done: the budget is spent, or nothing is uncertain; a larger --budget asks more")
    return "\n".join(lines)
