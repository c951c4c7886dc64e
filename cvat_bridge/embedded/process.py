"""Child processes of the embedded default: started, awaited until ready, stopped again."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from spam_model.errors import ServerError, SpamError

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_TAIL_LINES = 20


class ManagedProcess:
    """Runs ``python -m module`` until the block is left.

    The module writes ``{"url": ..., "pid": ...}`` to ``ready_file`` once it accepts connections. ``stdin_secret`` is
    the only way in which a secret reaches it: it shows neither in the process list nor in the log.
    """

    failure: type[SpamError] = ServerError

    def __init__(
        self,
        module: str,
        args: Sequence[str],
        ready_file: Path,
        log_file: Path,
        stdin_secret: str | None = None,
        start_seconds: float = _START_SECONDS,
    ) -> None:
        self._command = [sys.executable, "-m", module, *args]
        self._module = module
        self._ready_file = ready_file
        self._log_file = log_file
        self._stdin_secret = stdin_secret
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[str] | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        if self._url is None:
            raise self.failure(f"{self._module} is not running")
        return self._url

    def __enter__(self) -> Self:
        self._ready_file.unlink(missing_ok=True)
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("w") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, text=True
            )
        try:
            self._hand_over_secret(self._process)
            self._url = self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _hand_over_secret(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended at once: what comes next tells why
            process.stdin.write(self._stdin_secret or "")
            process.stdin.close()

    def _wait_until_ready(self, process: subprocess.Popen[str]) -> str:
        deadline = time.monotonic() + self._start_seconds
        while time.monotonic() < deadline:
            if self._ready_file.exists():
                return str(json.loads(self._ready_file.read_text())["url"])
            if process.poll() is not None:
                raise self.failure(
                    f"{self._module} ended with code {process.returncode} before it was ready:\n{self.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)
        raise self.failure(
            f"{self._module} was not ready after {self._start_seconds:g} s, see {self._log_file}:\n{self.log_tail()}"
        )

    def log_tail(self) -> str:
        lines = self._log_file.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:]) or "(its log is empty)"

    def stop(self) -> None:
        process, self._process, self._url = self._process, None, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._ready_file.unlink(missing_ok=True)


class ServerProcess(ManagedProcess):
    """The embedded CVAT-compatible server. ``folder`` keeps its data, so that it can be started again.

    ``functions`` is the address of a function host's dashboard, for lambda functions.
    """

    def __init__(
        self,
        folder: Path,
        passwords: Mapping[str, str] | None = None,
        port: int = 0,
        functions: str | None = None,
    ) -> None:
        ready_file = folder / "ready.json"
        args = ["--data", str(folder), "--port", str(port), "--ready-file", str(ready_file)]
        if passwords is not None:
            args.append("--passwords-stdin")
        if functions is not None:
            args += ["--functions", functions]
        super().__init__(
            "cvat_bridge.embedded.server",
            args,
            ready_file,
            folder / "server.log",
            json.dumps(dict(passwords)) if passwords is not None else None,
        )
