"""The host's process: starts every function, tells where they listen in the ready file, serves until SIGTERM."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from cvat_bridge.embedded.nuclio.config import find_functions
from cvat_bridge.embedded.nuclio.pool import WorkerPool
from cvat_bridge.embedded.nuclio.server import Server, dashboard_application, function_application
from spam_model.errors import InputError, SpamError
from spam_model.storage import write_atomically


def for_all(action: Callable[[WorkerPool], None], pools: Iterable[WorkerPool]) -> None:
    """Starts or stops all functions at once and waits for them."""
    threads = [threading.Thread(target=action, args=(pool,), daemon=True) for pool in pools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def serve(pools: Mapping[str, WorkerPool], port: int, ready_file: Path) -> NoReturn:
    """Serves the functions that are ready until a signal raises SystemExit."""
    servers = {name: Server(function_application(pool)) for name, pool in pools.items() if pool.state == "ready"}
    dashboard = Server(dashboard_application(pools, servers), port)
    ready = {
        "url": dashboard.url,
        "functions": {name: server.url for name, server in servers.items()},
        "pid": os.getpid(),
    }
    write_atomically(ready_file, json.dumps(ready).encode())
    try:
        while True:
            signal.pause()
    finally:
        for server in (dashboard, *servers.values()):
            server.stop()


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)


def _variable(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return name, value


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cvat_bridge.embedded.nuclio", description=__doc__)
    parser.add_argument("--functions", required=True, help="folders with function.yaml in or below, comma-separated")
    parser.add_argument("--ready-file", required=True, type=Path, help="JSON with the addresses is written here")
    parser.add_argument("--port", type=int, default=0, help="of the dashboard; 0 takes a free one")
    parser.add_argument("--workers", type=int, help="per function, in place of what function.yaml says")
    parser.add_argument("--env", nargs="*", type=_variable, default=[], metavar="KEY=VALUE", help="for every function")
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    pools: dict[str, WorkerPool] = {}
    try:
        if arguments.workers is not None and arguments.workers < 1:
            raise InputError(f"--workers {arguments.workers}: a function needs at least one")
        for config in find_functions([Path(folder) for folder in arguments.functions.split(",")]):
            variables = {**os.environ, **config.environment, **dict(arguments.env)}
            config = replace(config, workers=arguments.workers or config.workers)
            pools[config.name] = WorkerPool(config, variables)
        for_all(WorkerPool.start, pools.values())
        serve(pools, arguments.port, arguments.ready_file)
    except SpamError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        for_all(WorkerPool.stop, pools.values())


if __name__ == "__main__":
    sys.exit(main())
