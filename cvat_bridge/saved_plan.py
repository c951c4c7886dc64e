"""A plan on disk: what a sync would do, with what settings, and the parts that it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cvat_bridge.sync import SyncOptions, SyncReport
from spam_model.errors import FormatError, InputError
from spam_model.storage import read_bytes, write_atomically

FORMAT = "cvat-spam plan"
VERSION = 1


@dataclass(frozen=True)
class SavedPlan:
    """``settings`` are those of ``TaskSettings``; ``parts`` are described in ``fingerprint``."""

    server: str
    task_id: int
    settings: dict[str, object]
    options: SyncOptions
    parts: dict[str, str]
    report: SyncReport
    format: str = field(default=FORMAT)
    version: int = field(default=VERSION)

    def check_place(self, server: str, task_ids: list[int]) -> None:
        """
        Raises:
            InputError: it is of another task, or of a task on another server.
        """
        if (self.server, [self.task_id]) != (server, task_ids):
            raise InputError(
                f"--plan: it is of task {self.task_id} on {self.server}, not of "
                f"{', '.join(f'task {number}' for number in task_ids) or 'this'} on {server}"
            )


_PLAN = TypeAdapter(SavedPlan)


def write_plan(path: Path, plan: SavedPlan) -> None:
    write_atomically(path, _PLAN.dump_json(plan, indent=1))


def read_plan(path: Path) -> SavedPlan:
    """
    Raises:
        InputError: there is no such file.
        FormatError: it is no plan of this release.
    """
    try:
        plan = _PLAN.validate_json(read_bytes(path))
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise FormatError(f"{path} is no plan: {error.errors()[0]['msg']} {place}; make one with plan -o") from error
    if (plan.format, plan.version) != (FORMAT, VERSION):
        raise FormatError(f"{path} is no plan of this release; make one with plan -o")
    return plan
