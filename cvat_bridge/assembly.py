"""Puts the parts together for one task: server, journal, frames, backend, state machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cvat_sdk.core.client import Client
from pydantic import TypeAdapter

from cvat_bridge.backend import Backend, open_backend
from cvat_bridge.backend.cvat_function import PREFIX, CvatFunctionSource
from cvat_bridge.frames import TaskFrames
from cvat_bridge.journal import CANDIDATES_FILE, Journal, state_folder
from cvat_bridge.progress import Progress
from cvat_bridge.rebuild import is_lost, rebuild
from cvat_bridge.retraining import Retrainer, check_trainable, detector_in_force, finish_replacement
from cvat_bridge.review_desk import ReviewDesk
from cvat_bridge.saved_plan import SavedPlan
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import Sync, SyncOptions, SyncReport
from cvat_bridge.undo import Undo, UndoReport
from cvat_bridge.wire import Task
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
        raise InputError(
            f"task {task_id} has no journal in {state_root}: run cvat-bridge sync {task_id} first, or cvat-bridge "
            f"status {task_id} --rebuild where it was lost"
        )
    return Journal(folder, lease=False)


def settings_of(client: Client, state_root: Path, task_id: int) -> TaskSettings:
    """The task's kept settings, the defaults where it was never synced."""
    if not state_folder(state_root, client.api_client.configuration.host, task_id).is_dir():
        return TaskSettings()
    with read_journal(client, state_root, task_id) as journal:
        return kept_settings(journal)


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
        source: of the candidates, in place of the settings' detector, until that was retrained.

    Raises:
        InputError: ``options`` ask for a retraining in a dry run, or of a detector that cannot be trained here.
    """
    with _opened(client, task_id, state_root, said, source) as opened:
        if not options.dry_run or opened.is_new:
            opened.keep_settings()
        return opened.sync(options, progress).run()


def plan_task(
    client: Client,
    task_id: int,
    state_root: Path,
    said: Mapping[str, object],
    options: SyncOptions,
    progress: Progress,
    source: CandidateSource | None = None,
) -> SavedPlan:
    """What ``sync_task`` would do, without sending anything; arguments as there."""
    with _opened(client, task_id, state_root, said, source) as opened:
        if opened.is_new:
            opened.keep_settings()
        sync = opened.sync(replace(options, dry_run=True), progress)
        report = sync.run()
        settings = _SETTINGS.dump_python(opened.settings, mode="json")
        return SavedPlan(opened.reader.host, task_id, settings, options, sync.parts, report)


def apply_plan(
    client: Client, plan: SavedPlan, state_root: Path, progress: Progress, source: CandidateSource | None = None
) -> SyncReport:
    """Syncs as planned, or not at all.

    Raises:
        InputError: the task, its journal or the model has changed since.
    """
    with _opened(client, plan.task_id, state_root, plan.settings, source) as opened:
        report = opened.sync(plan.options, progress).run(plan.parts)
        opened.keep_settings()
        return report


@dataclass(frozen=True)
class _Opened:
    """The parts of one task's sync, put together; ``is_new``: its candidates were not made yet."""

    reader: CvatReader
    writer: CvatWriter
    journal: Journal
    backend: Backend
    frames: TaskFrames
    task: Task
    settings: TaskSettings
    is_new: bool
    notes: tuple[str, ...]

    def keep_settings(self) -> None:
        self.journal.put("settings", _SETTINGS.dump_python(self.settings, mode="json"))

    def sync(self, options: SyncOptions, progress: Progress) -> Sync:
        return Sync(
            self.reader,
            self.writer,
            self.journal,
            self.backend,
            self.frames,
            self.task,
            options,
            progress,
            self.notes,
            self._retrainer(options, progress),
        )

    def _retrainer(self, options: SyncOptions, progress: Progress) -> Retrainer | None:
        if options.retrain is None:
            return None
        if options.dry_run:
            raise InputError("--retrain trains a detector and finds candidates anew, which no dry run can tell of")
        check_trainable(self.settings.backend, self.settings.detector)
        detector = detector_in_force(self.journal, self.settings.detector)
        return Retrainer(self.journal, self.frames, detector, self.settings.min_score, options.retrain, progress)


@contextmanager
def _opened(
    client: Client, task_id: int, state_root: Path, said: Mapping[str, object], source: CandidateSource | None
) -> Iterator[_Opened]:
    reader = CvatReader(client)
    task = reader.task(task_id)
    with open_journal(client, state_root, task_id) as journal:
        writer = CvatWriter(client, reader, journal)
        notes = rebuild(journal, ReviewDesk(task, reader, writer, journal)) if is_lost(journal) else ()
        settings = _SETTINGS.validate_python({**(journal.get("settings") or {}), **said})
        _refuse_other_candidates(journal, settings)
        _refuse_secret(settings.backend)
        finish_replacement(journal)
        detector = detector_in_force(journal, settings.detector) if settings.backend == "local" else settings.detector
        if detector != settings.detector:
            source = None
        elif source is None and detector.startswith(PREFIX):
            source = CvatFunctionSource(client, task_id, detector, settings.classes, settings.min_score)
        backend = open_backend(
            settings.backend,
            detector=detector,
            class_names=settings.classes,
            min_score=settings.min_score,
            source=source,
        )
        yield _Opened(
            reader=reader,
            writer=writer,
            journal=journal,
            backend=backend,
            frames=TaskFrames(reader, task_id, settings.frame_rate, settings.classes),
            task=task,
            settings=settings,
            is_new=not (journal.folder / CANDIDATES_FILE).exists(),
            notes=notes,
        )


def _refuse_secret(backend: str) -> None:
    """
    Raises:
        InputError: the address holds a password, which would be written to the journal.
    """
    if urlsplit(backend).password is not None:
        raise InputError("--backend: the address holds a password, which would be kept on disk; leave it out")


def undo_task(
    client: Client, task_id: int, state_root: Path, run: str | None, dry_run: bool, progress: Progress
) -> UndoReport:
    """Takes back what runs wrote to a task, see ``Undo.run``."""
    reader = CvatReader(client)
    task = reader.task(task_id)
    with open_journal(client, state_root, task_id) as journal:
        writer = CvatWriter(client, reader, journal)
        if is_lost(journal):
            rebuild(journal, ReviewDesk(task, reader, writer, journal))
        return Undo(reader, writer, journal, task, progress).run(run, dry_run)


def rebuild_journal(client: Client, task_id: int, state_root: Path) -> tuple[str, ...]:
    """Makes a lost journal again from CVAT, see ``rebuild``; one that is there stays as it is."""
    reader = CvatReader(client)
    task = reader.task(task_id)
    with open_journal(client, state_root, task_id) as journal:
        if not is_lost(journal):
            return ("the journal is there: nothing to be made again",)
        desk = ReviewDesk(task, reader, CvatWriter(client, reader, journal), journal)
        return rebuild(journal, desk) or ("CVAT holds no review task of this task: there is nothing to be found",)
