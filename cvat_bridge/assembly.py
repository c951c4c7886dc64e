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
from cvat_bridge.sync import Sync, SyncOptions, SyncReport
from cvat_bridge.writer import CvatWriter
from spam_model.detectors.base import CandidateSource


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


def open_journal(client: Client, state_root: Path, task_id: int) -> Journal:
    return Journal(state_folder(state_root, client.api_client.configuration.host, task_id))


def kept_settings(journal: Journal) -> TaskSettings:
    """The settings of the last sync, the defaults before the first."""
    return _SETTINGS.validate_python(journal.get("settings") or {})


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
        backend = open_backend(
            settings.backend,
            detector=settings.detector,
            class_names=settings.classes,
            min_score=settings.min_score,
            source=source,
        )
        frames = TaskFrames(reader, task_id, settings.frame_rate, settings.classes)
        journal.put("settings", _SETTINGS.dump_python(settings, mode="json"))
        writer = CvatWriter(client, reader, journal)
        return Sync(reader, writer, journal, backend, frames, task, options, progress).run()
