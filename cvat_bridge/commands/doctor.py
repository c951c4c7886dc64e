"""``cvat-bridge doctor``: is everything there that labelling needs?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from cvat_bridge.assembly import TaskSettings, settings_of
from cvat_bridge.commands.common import add_server_arguments, names
from cvat_bridge.connection import connect
from cvat_bridge.doctor import Check, Patient, Status, examine
from spam_model.command_line import print_json
from spam_model.errors import InputError, ServerError

FAILED = 1


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="check server, account, labels, model and disk; say what to do",
        description="One line a check: ok, warning, or FAIL with what to do; ends with 1 if any failed. Looks at the "
        "server and its version, the connection, the clocks, the account, its token and organization, the model and "
        "the device it runs on, the disk; and with a TASK_ID at the task's frames, rights, jobs and labels. Nothing "
        "is changed.",
    )
    parser.add_argument("task", type=int, nargs="?", metavar="TASK_ID")
    parser.add_argument("--backend", help="local, or the address of a deployed function (default: the task's)")
    parser.add_argument("--classes", type=names, help="labels to find (default: the task's, or person)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    checks = []
    for check in _checks(args):
        checks.append(check)
        if not args.json:
            print(f"{check.status:>7}  {check.name}: {check.text}", flush=True)
    failed = sum(check.status is Status.FAIL for check in checks)
    warned = sum(check.status is Status.WARNING for check in checks)
    if args.json:
        print_json({"failed": failed, "warnings": warned, "checks": [asdict(check) for check in checks]})
    else:
        print(f"{len(checks)} checks: {failed} failed, {warned} warnings")
    return FAILED if failed else 0


def _checks(args: argparse.Namespace) -> Iterator[Check]:
    try:
        client = connect(args)
    except (ServerError, InputError) as error:
        yield Check("login", Status.FAIL, str(error))
        return
    with client:
        settings = settings_of(client, args.state, args.task) if args.task is not None else TaskSettings()
        patient = Patient(
            client=client,
            state=args.state,
            task=args.task,
            classes=args.classes or settings.classes,
            frame_rate=settings.frame_rate,
            backend=args.backend or settings.backend,
        )
        yield from examine(patient)
