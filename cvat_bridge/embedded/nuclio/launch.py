"""Starts the function host as a process of its own, for the demo and the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from cvat_bridge.embedded.process import ManagedProcess
from spam_model.errors import BackendError

_START_SECONDS = 180.0  # models are loaded in it


class FunctionHost(ManagedProcess):
    """A running host; ``url`` is that of its dashboard. ``folder`` gets the ready file and the log."""

    failure = BackendError

    def __init__(
        self,
        functions: Sequence[Path],
        folder: Path,
        *,
        workers: int | None = None,
        environment: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        """
        Args:
            functions: folders with a ``function.yaml`` in or below them.
            folder: of the host itself.
            workers: per function, in place of what ``function.yaml`` says.
            environment: for every function, on top of what ``function.yaml`` says.
            port: of the dashboard; 0 takes a free one.
        """
        self._ready = folder / "functions.json"
        args = ["--functions", ",".join(map(str, functions)), "--ready-file", str(self._ready), "--port", str(port)]
        if workers is not None:
            args += ["--workers", str(workers)]
        if environment:
            args += ["--env", *(f"{name}={value}" for name, value in environment.items())]
        super().__init__(
            "cvat_bridge.embedded.nuclio", args, self._ready, folder / "functions.log", start_seconds=_START_SECONDS
        )
        self._functions: dict[str, str] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        self._functions = json.loads(self._ready.read_text())["functions"]
        return self

    def function_url(self, name: str) -> str:
        """Where the function is called directly.

        Raises:
            BackendError: there is no such function, or it could not start.
        """
        if name not in self._functions:
            raise BackendError(f"the function {name!r} is not there or could not start:\n{self.log_tail()}")
        return self._functions[name]
