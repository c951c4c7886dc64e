"""Puts the parts together for one task: server, journal, frames, backend, state machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cvat_sdk.core.client import Client
from pydantic import TypeAdapter

from cvat_bridge.backend import open_backend
from cvat_bridge.frames import TaskFrames
from cvat_bridge.journal import Journal, state_folder
from cvat_bridge.progress import Progress
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import CANDIDATES_FILE, Sync, SyncOptions, SyncReport
from cvat_bridge.writer import CvatWriter
from spam_model.detectors.base import CandidateSource
from spam_model.errors import InputError


@dataclass(frozen=True)
class TaskSettings:
    """How a task's candidates are made; said at the first sync and kept in the journal from then on.

    CVAT does not tell a video's ``frame_rate`` (frames/s).
    """

    backend: str = "local"
    detector: str = "yolov4-tiny"
    classes: tuple[str, ...] = ("person",)
    frame_rate: float = 25.0
    min_score: float = 0.1


_SETTINGS = TypeAdapter(TaskSettings)
CANDIDATE_SETTINGS = ("detector", "classes", "frame_rate", "min_score")


def open_journal(client: Client, state_root: Path, task_id: int) -> Journal:
    """The task's journal, with the lease on the task; made if there is none."""
    return Journal(state_folder(state_root, client.api_client.configuration.host, task_id))


def read_journal(client: Client, state_root: Path, task_id: int) -> Journal:
    """The task's journal to look at, while another command may be at work.

    Raises:
        InputError: there is none.
    """
    folder = state_folder(state_root, client.api_client.configuration.host, task_id)
    if not folder.is_dir():
        raise InputError(f"task {task_id} has no journal in {state_root}: run cvat-bridge sync {task_id} first")
    return Journal(folder, lease=False)


def kept_settings(journal: Journal) -> TaskSettings:
    """The settings of the last sync, the defaults before the first."""
    return _SETTINGS.validate_python(journal.get("settings") or {})


def _refuse_other_candidates(journal: Journal, settings: TaskSettings) -> None:
    """
    Raises:
        InputError: the task's candidates were made with other settings; people's answers are about those.
    """
    kept = kept_settings(journal)
    changed = [name for name in CANDIDATE_SETTINGS if getattr(kept, name) != getattr(settings, name)]
    if changed and (journal.folder / CANDIDATES_FILE).exists():
        options = ", ".join(f"--{name.replace('_', '-')} {getattr(kept, name)}" for name in changed)
        raise InputError(
            f"this task was started with {options}; its questions and answers are about those candidates. Leave the "
            "option out to go on, or give another --state folder to start anew"
        )


def sync_task(
    client: Client,
    task_id: int,
    state_root: Path,
    said: Mapping[str, object],
    options: SyncOptions,
    progress: Progress,
    source: CandidateSource | None = None,
) -> SyncReport:
    """Syncs one task, see ``Sync.run``.

    Args:
        said: the fields of ``TaskSettings`` that this call sets; the others are as they were.
        source: of the candidates, in place of the settings' detector.
    """
    reader = CvatReader(client)
    task = reader.task(task_id)
    with open_journal(client, state_root, task_id) as journal:
        settings = _SETTINGS.validate_python({**(journal.get("settings") or {}), **said})
        _refuse_other_candidates(journal, settings)
        backend = open_backend(
            settings.backend,
            detector=settings.detector,
            class_names=settings.classes,
            min_score=settings.min_score,
            source=source,
        )
        frames = TaskFrames(reader, task_id, settings.frame_rate, settings.classes)
        if not options.dry_run or not (journal.folder / CANDIDATES_FILE).exists():
            journal.put("settings", _SETTINGS.dump_python(settings, mode="json"))
        writer = CvatWriter(client, reader, journal)
        return Sync(reader, writer, journal, backend, frames, task, options, progress).run()
