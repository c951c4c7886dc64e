"""``cvat-bridge sync``: labels, pushes, asks, takes the answers back; as far as it can."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from cvat_bridge.assembly import sync_task
from cvat_bridge.commands.common import add_server_arguments, fraction, names
from cvat_bridge.connection import connect
from cvat_bridge.progress import Progress
from cvat_bridge.sync import DEFAULT_BUDGET, DEFAULT_ROUNDS, SyncOptions, SyncReport
from spam_model.active.baselines.ensemble import Ensemble
from spam_model.active.registry import DEFAULT_STRATEGY, STRATEGIES
from spam_model.command_line import print_json

SETTINGS = ("backend", "detector", "classes", "frame_rate", "min_score")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "sync",
        help="label a task, push tracks, ask reviewers, take their answers in",
        description="Goes as far as it can: finds candidates, labels them, pushes tracks to the task's jobs, opens "
        "review jobs for what is uncertain. Call it again when reviewers have finished their jobs. Settings are kept "
        "per task from the first call on. Nothing that a person drew or edited is changed, and nothing is sent when "
        "nothing is new.",
    )
    parser.add_argument("task", type=int, metavar="TASK_ID")
    parser.add_argument(
        "--budget",
        type=fraction,
        help=f"clicks to spend, as a share of labelling everything by hand (first call: {DEFAULT_BUDGET})",
    )
    parser.add_argument("--rounds", type=int, help=f"over how many rounds (first call: {DEFAULT_ROUNDS})")
    parser.add_argument(
        "--reviewer", action="append", default=[], metavar="USER", help="who gets review jobs; repeatable"
    )
    others = ", ".join(name for name in STRATEGIES if name not in (DEFAULT_STRATEGY, Ensemble.name))
    parser.add_argument(
        "--strategy",
        default=DEFAULT_STRATEGY,
        metavar="NAME",
        help="how questions are chosen (default: %(default)s, by expected label error removed per click; "
        f"for comparison: {others}, or a pair of them, BOXES/LINKS)",
    )
    parser.add_argument("--backend", help="local, or the address of a deployed function, http://host:port")
    parser.add_argument("--detector", help="yolov4-tiny, onnx-yolox:FILE or file:DET.TXT (default: yolov4-tiny)")
    parser.add_argument("--classes", type=names, help="labels to find, comma-separated (default: person)")
    parser.add_argument("--frame-rate", type=float, help="frames per second of the task's frames (default: 25)")
    parser.add_argument("--min-score", type=fraction, help="keep candidates from this score on (default: 0.1)")
    parser.add_argument("--dry-run", action="store_true", help="say what a push would change, and send nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    said = {name: value for name in SETTINGS if (value := getattr(args, name)) is not None}
    options = SyncOptions(args.budget, args.rounds, args.strategy, tuple(args.reviewer), args.dry_run)
    with connect(args) as client:
        report = sync_task(client, args.task, args.state, said, options, Progress(quiet=args.json))
        host = client.api_client.configuration.host
    if args.json:
        print_json(asdict(report))
    else:
        print(describe(report, host))
    return 0


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
