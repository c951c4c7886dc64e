"""``cvat-bridge export``: a task's tracks as files."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from cvat_bridge.assembly import settings_of
from cvat_bridge.commands.common import add_server_arguments
from cvat_bridge.connection import connect
from cvat_bridge.export import export_task
from spam_model.command_line import print_json


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "export",
        help="write a task's tracks to files: MOTChallenge, COCO-video, or CVAT's own formats",
        description="Writes all rectangle tracks of the task, people's and ours, as they stand in CVAT: a box for "
        "each frame, between keyframes as CVAT shows them, none on deleted frames. mot: a MOTChallenge folder with "
        "gt/gt.txt, gt/labels.txt and seqinfo.ini; coco: one COCO-video JSON; cvat:NAME: whatever the server can "
        "export, for example 'cvat:CVAT for video 1.1'. What has no place in the format is counted.",
    )
    parser.add_argument("task", type=int, metavar="TASK_ID")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument("--format", required=True, metavar="mot|coco|cvat:NAME", help="what to write")
    parser.add_argument("--frame-rate", type=float, help="frames per second (default: the task's settings, or 25)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args) as client:
        rate = args.frame_rate or settings_of(client, args.state, args.task).frame_rate
        report = export_task(client, args.task, args.out, args.format, rate, args.overwrite)
    if args.json:
        print_json(asdict(report))
        return 0
    if report.tracks is not None:
        print(f"task {report.task_id}: {report.tracks} tracks, {report.boxes} boxes")
    print("\n".join((*report.notes, *report.files)))
    return 0
