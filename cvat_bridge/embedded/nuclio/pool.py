"""The workers of one function, seen from the host: allocated to events, timed out, restarted, stopped."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cvat_bridge
from cvat_bridge.embedded.nuclio.config import FunctionConfig

_SOURCE_ROOT = Path(cvat_bridge.__file__).resolve().parents[1]
_TERMINATION_TIMEOUT = 5.0  # seconds for an event in progress when the host stops
_LOG_LINES = 40


@dataclass(frozen=True)
class Reply:
    """What goes back over HTTP."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def from_frame(cls, frame: bytes) -> Reply:
        """Of a batch of responses the first is taken; an empty batch makes Nuclio's processor panic, which is a 500."""
        parsed: Any = json.loads(frame)
        if isinstance(parsed, list):
            if not parsed:
                return cls(500, "text/plain", {}, b"")
            parsed = parsed[0]
        body = parsed["body"]
        return cls(
            status=parsed["status_code"],
            content_type=parsed["content_type"],
            headers={name: str(value) for name, value in parsed["headers"].items() if isinstance(value, str | int)},
            body=b64decode(body) if parsed["body_encoding"] == "base64" else body.encode(),
        )


NO_WORKER = Reply(503, "text/plain", {}, b"")
TIMED_OUT = Reply(408, "text/plain", {}, b'{"error": "handler timed out"}')
WORKER_DIED = Reply(500, "text/plain", {}, b"the worker's process ended; see the function's log")


class Worker:
    """One worker process."""

    def __init__(self, config: FunctionConfig, environment: Mapping[str, str], index: int, log: deque[str]) -> None:
        self._config = config
        self._environment = environment
        self._index = index
        self._log = log
        self._lock = threading.Lock()  # over the two below
        self._busy_since: float | None = None  # monotonic
        self._timed_out = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> bool:
        """Starts the process and waits for ``init_context``; False where that fails."""
        self._timed_out = False
        self._socket, child = socket.socketpair()
        command = [sys.executable, "-u", "-m", "cvat_bridge.embedded.nuclio.worker", "--handler", self._config.handler]
        command += ["--socket", str(child.fileno()), "--worker-id", str(self._index)]
        command += ["--trigger-name", self._config.trigger_name]
        path = [str(self._config.folder), str(_SOURCE_ROOT), self._environment.get("PYTHONPATH", "")]
        with child:
            self._process = subprocess.Popen(
                command,
                cwd=self._config.folder,
                env={**self._environment, "PYTHONPATH": os.pathsep.join(filter(None, path))},
                pass_fds=[child.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        self._logger = threading.Thread(target=self._pass_on_output, name=f"log of {self._config.name}", daemon=True)
        self._logger.start()
        try:
            self._read_frame()
        except EOFError:
            self.stop()
            return False
        return True

    def invoke(self, fields: Mapping[str, object], body: bytes) -> Reply:
        """Has the worker handle one event; TIMED_OUT or WORKER_DIED where that cost it its life."""
        with self._lock:
            self._busy_since = time.monotonic()
        try:
            for frame in (json.dumps(fields).encode(), body):
                self._socket.sendall(len(frame).to_bytes(4, "big"))
                self._socket.sendall(frame)
            reply = Reply.from_frame(self._read_frame())
        except (EOFError, OSError):
            reply = WORKER_DIED
        finally:
            with self._lock:
                self._busy_since = None
        return TIMED_OUT if self._timed_out else reply

    def time_out(self, limit: float) -> None:
        """Kills the process if its event is older than ``limit`` seconds."""
        with self._lock:
            if self._busy_since is not None and time.monotonic() - self._busy_since > limit:
                self._timed_out = True
                self._running.kill()

    def ask_to_end(self) -> None:
        self._running.send_signal(signal.SIGUSR1)

    def stop(self, timeout: float = 0.0) -> None:
        """Ends the process, which has ``timeout`` seconds to do so by itself."""
        try:
            self._running.wait(timeout)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._socket.close()
        self._logger.join(1.0)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "start comes first"
        return self._process

    def _read_frame(self) -> bytes:
        length = int.from_bytes(self._read_exactly(4), "big")
        return self._read_exactly(length)

    def _read_exactly(self, length: int) -> bytes:
        data = bytearray(length)
        view, got = memoryview(data), 0
        while got < length:
            count = self._socket.recv_into(view[got:])
            if count == 0:
                raise EOFError
            got += count
        return bytes(data)

    def _pass_on_output(self) -> None:
        """Log lines of ``context.logger`` and whatever is printed: to the host's stderr, the last lines kept."""
        output = self._running.stdout
        assert output is not None
        with output:
            for line in output:
                text = line.decode(errors="replace").rstrip()
                self._log.append(text)
                print(text, file=sys.stderr, flush=True)


class WorkerPool:
    """The workers of one function.

    ``state`` is ``building`` until they are up, then ``ready``, or ``error`` where one could not start; ``unhealthy``
    where one could not start again after a timeout.
    """

    def __init__(self, config: FunctionConfig, environment: Mapping[str, str]) -> None:
        self.config = config
        self.state = "building"
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._workers = [Worker(config, environment, index, self._log) for index in range(config.workers)]
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"timeouts of {config.name}", daemon=True)

    @property
    def log_tail(self) -> tuple[str, ...]:
        return tuple(self._log)

    def start(self) -> None:
        """Starts all workers at once and waits for them."""
        started: queue.SimpleQueue[bool] = queue.SimpleQueue()
        for worker in self._workers:
            threading.Thread(target=lambda w: started.put(self._bring_up(w)), args=(worker,), daemon=True).start()
        alive = [started.get() for _ in self._workers]
        if all(alive):
            self.state = "ready"
            self._watcher.start()
        else:
            self.state = "error"
            self.stop()

    def invoke(self, fields: Mapping[str, object], body: bytes) -> Reply:
        """Waits for a free worker and has it handle the event; NO_WORKER where none gets free in time."""
        try:
            worker = self._idle.get(timeout=self.config.availability_timeout)
        except queue.Empty:
            return NO_WORKER
        reply = worker.invoke(fields, body)
        if reply is TIMED_OUT or reply is WORKER_DIED:
            threading.Thread(target=self._restart, args=(worker,), daemon=True).start()
        else:
            self._idle.put(worker)
        return reply

    def stop(self) -> None:
        """Has every worker end after its event in progress, kills those that do not."""
        self._stopping.set()
        alive = [worker for worker in self._workers if worker.is_alive]
        for worker in alive:
            worker.ask_to_end()
        deadline = time.monotonic() + _TERMINATION_TIMEOUT
        for worker in alive:
            worker.stop(max(0.0, deadline - time.monotonic()))

    def _bring_up(self, worker: Worker) -> bool:
        alive = worker.start()
        if alive:
            self._idle.put(worker)
        return alive

    def _restart(self, worker: Worker) -> None:
        worker.stop()
        if not self._stopping.is_set() and not self._bring_up(worker):
            self.state = "unhealthy"

    def _watch(self) -> None:
        """Every event timeout, kills the workers whose event is older: between one and two timeouts after its start."""
        timeout = self.config.event_timeout
        if timeout is None:
            return
        while not self._stopping.wait(timeout):
            for worker in self._workers:
                worker.time_out(timeout)
