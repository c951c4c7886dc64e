"""``cvat-bridge watch``: waits for reviewers, and syncs when they have finished something."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cvat_sdk.core.client import Client

from cvat_bridge.assembly import read_journal, sync_task
from cvat_bridge.commands.common import add_server_arguments, count
from cvat_bridge.commands.labelling import add_asking_arguments
from cvat_bridge.connection import connect
from cvat_bridge.progress import Progress
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import SyncOptions
from cvat_bridge.watch import Event, Watch, finished_jobs, open_review_task
from cvat_bridge.webhooks import WebhookListener
from spam_model.active.registry import DEFAULT_STRATEGY
from spam_model.errors import InputError

EPILOG = """events of --json, one object a line on stdout; time (UTC), event, task_id (null: the watch itself), and:
  watching   the task is watched; review_task: its open review task, null where a sync comes first
  skipped    --project: a task that was never synced, or cannot be watched; error
  listening  webhooks are listened for; port
  hint       a webhook said that something has changed: the task is looked at
  synced     a sync went through; report: as of sync --json
  trouble    server or function host do not answer; error; told once, tried on with growing pauses
  recovered  all tasks that were in trouble answer again
  failed     the task is given up; error, exit_code
  done       the task is done: its budget is spent, or nothing is uncertain
  ending     interrupted; the sync that is under way is finished first

webhooks:
  Make one in CVAT for the event "job updated", of the organization or of the review projects, with a secret and the
  address of this machine, and keep the same secret in FILE. It saves waiting for the next look, no more: what a
  webhook says is never taken as data. --listen speaks plain HTTP; beyond a trusted network put a proxy with TLS in
  front."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "watch",
        help="sync whenever reviewers have finished something, until all is done",
        description="Looks at the tasks' review jobs now and then, one small request each, and runs sync for a task "
        "when\nreviewers have completed a job: takes their answers in, opens the next round, until the budget is "
        "spent.\nOnly tasks that were synced before are watched; their settings hold on. A server that does not "
        "answer is\nwaited for. Between its syncs other commands may work on the task. Stop it with Ctrl-C at any "
        "time.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tasks", type=int, nargs="*", metavar="TASK_ID")
    parser.add_argument("--project", type=int, metavar="ID", help="all tasks of this project that were synced before")
    parser.add_argument(
        "--interval", type=_seconds, default=30.0, metavar="S", help="seconds between looks (default: %(default)g)"
    )
    parser.add_argument("--once", action="store_true", help="one look at each task, then end; for cron")
    parser.add_argument(
        "--parallel", type=count, default=1, metavar="N", help="so many tasks at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--listen", type=_address, metavar="HOST:PORT", help="take webhooks as hints to look at once; see below"
    )
    parser.add_argument("--secret-file", type=Path, metavar="FILE", help="holds the webhooks' secret, for --listen")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout for each event")
    add_asking_arguments(parser)
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if not args.tasks and args.project is None:
        raise InputError("which task? Give one or more TASK_ID, or --project ID")
    if (args.listen is None) != (args.secret_file is None):
        raise InputError("--listen and --secret-file go together: deliveries without a secret are not trusted")
    if args.listen is not None and args.once:
        raise InputError("--once looks and ends: leave --listen out")
    secret = _secret(args.secret_file) if args.secret_file is not None else b""
    options = SyncOptions(strategy=args.strategy or DEFAULT_STRATEGY, reviewers=tuple(args.reviewer))

    def tell(event: Event) -> None:
        _tell(event, args.json)

    with connect(args) as client:
        reader = CvatReader(client)
        review_tasks = _chosen(client, args, tell)
        progress = Progress(quiet=args.json or len(review_tasks) > 1)
        watch = Watch(
            review_tasks,
            look=lambda review_task: finished_jobs(reader, review_task),
            sync=lambda task_id: sync_task(client, task_id, args.state, {}, options, progress),
            tell=tell,
            interval=args.interval,
            parallel=args.parallel,
        )
        with _listening(args, secret, watch, tell):
            return watch.run(args.once)


def _chosen(client: Client, args: argparse.Namespace, tell: Callable[[Event], None]) -> dict[int, int | None]:
    """The tasks to watch -> the review tasks that are open.

    Raises:
        InputError: a task that was named was never synced, or there is nothing to watch.
    """
    chosen: dict[int, int | None] = {}
    of_project = [task.id for task in CvatReader(client).tasks_of(args.project)] if args.project is not None else []
    for task_id in sorted({*args.tasks, *of_project}):
        try:
            with read_journal(client, args.state, task_id) as journal:
                chosen[task_id] = open_review_task(journal)
        except InputError as error:
            if task_id in args.tasks:
                raise
            tell(Event("skipped", task_id, f"not watched: {error}", {"error": str(error)}))
    if not chosen:
        raise InputError(f"project {args.project} has no task that was synced before: begin with cvat-bridge sync")
    for task_id, review_task in chosen.items():
        text = f"watched; reviewers are at task {review_task}" if review_task else "watched; a sync comes first"
        tell(Event("watching", task_id, text, {"review_task": review_task}))
    return chosen


def _tell(event: Event, as_json: bool) -> None:
    now = datetime.now(UTC)
    who = "" if event.task_id is None else f"task {event.task_id}: "
    print(f"{now.astimezone():%H:%M:%S} {who}{event.text}", file=sys.stderr, flush=True)
    if as_json:
        line = {"time": now.isoformat(timespec="seconds"), "event": event.name, "task_id": event.task_id}
        print(json.dumps({**line, **event.details}), flush=True)


@contextmanager
def _listening(args: argparse.Namespace, secret: bytes, watch: Watch, tell: Callable[[Event], None]) -> Iterator[None]:
    if args.listen is None:
        yield
        return
    host, port = args.listen
    with WebhookListener(host, port, secret, watch.hint) as listener:
        tell(Event("listening", None, f"webhooks are listened for on {host}:{listener.port}", {"port": listener.port}))
        yield


def _secret(path: Path) -> bytes:
    """
    Raises:
        InputError: no such file, or nothing in it.
    """
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise InputError(f"--secret-file {path}: cannot be read ({error.strerror})") from error
    if not secret:
        raise InputError(f"--secret-file {path}: is empty; put the secret of the webhook into it, on one line")
    return secret


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0.1 on")
    return value


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST:PORT, for example 127.0.0.1:8090")
    return host, int(port)
