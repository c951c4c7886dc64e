"""``cvat-bridge report``: one HTML page about a task; opens offline."""

from __future__ import annotations

import argparse
from pathlib import Path

from cvat_bridge.assembly import kept_settings, read_journal
from cvat_bridge.commands.common import add_server_arguments
from cvat_bridge.connection import connect
from cvat_bridge.frames import TaskFrames
from cvat_bridge.report_task import report_task
from cvat_bridge.server import CvatReader


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("report", help="one HTML page: tracks, questions, answers, effort")
    parser.add_argument("task", type=int, metavar="TASK_ID")
    parser.add_argument("-o", "--out", type=Path, default=Path("report.html"), help="the page (default: %(default)s)")
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args) as client, read_journal(client, args.state, args.task) as journal:
        settings = kept_settings(journal)
        frames = TaskFrames(CvatReader(client), args.task, settings.frame_rate, settings.classes)
        print(report_task(journal, frames, args.out))
    return 0
