"""Waits for reviewers: looks at their jobs now and then, syncs a task when something in them was completed.

One look is one list request, whatever the size of the task; annotations are read by the sync alone. A task that was
not reachable is looked at again later, with growing pauses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from cvat_bridge.connection import RETRIED
from cvat_bridge.journal import Journal
from cvat_bridge.many import Outcome, attempt
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import SyncReport
from spam_model.errors import BackendError, BusyError, InputError, ServerError, SpamError

LONGEST_PAUSE = 300.0  # seconds
HINT_GAP = 1.0  # seconds between two looks at a task, however many hints come
MISSING_SECONDS = 600.0  # a proxy may answer 404 while the server behind it starts; after that it is believed

FinishedJobs = frozenset[tuple[int, datetime | None]]  # job id, last change


@dataclass(frozen=True)
class Event:
    """Something that happened: ``text`` for people, ``details`` for machines; ``task_id`` of None is the watch."""

    name: str
    task_id: int | None
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Step:
    """What a look at the review jobs found, and the sync's report if one followed."""

    finished: FinishedJobs | None
    report: SyncReport | None


@dataclass
class _Watched:
    """``finished`` are the completed jobs of ``review_task`` whose answers were taken in; ``due`` is monotonic, s."""

    task_id: int
    review_task: int | None
    finished: FinishedJobs = frozenset()
    looked: float = -math.inf
    due: float = -math.inf
    failures: int = 0
    missing_since: float | None = None
    is_under_way: bool = False


def open_review_task(journal: Journal) -> int | None:
    """The review task that reviewers are at; None where a sync has something to do first.

    Raises:
        InputError: the task was never synced.
    """
    rounds = journal.rounds()
    if journal.session() is None:
        raise InputError("the task was never synced: look with cvat-bridge plan, begin with cvat-bridge sync")
    return rounds[-1].review_task if rounds and rounds[-1].state == "open" else None


def finished_jobs(reader: CvatReader, review_task: int) -> FinishedJobs | None:
    """The completed jobs of a review task; None where it has no job, as it was deleted. Asks the server once."""
    jobs = reader.jobs(review_task, attempts=1)
    return frozenset((job.id, job.updated_date) for job in jobs if job.state == "completed") if jobs else None


class Watch:
    """Watches tasks until each is done or has failed for good. Made for one call of ``run``.

    Only the thread that calls ``run`` changes anything here; others leave word in its inbox.
    """

    def __init__(
        self,
        review_tasks: Mapping[int, int | None],
        look: Callable[[int], FinishedJobs | None],
        sync: Callable[[int], SyncReport],
        tell: Callable[[Event], None],
        interval: float,
        parallel: int = 1,
    ) -> None:
        """
        Args:
            review_tasks: task -> see ``open_review_task``.
            look: review task -> see ``finished_jobs``.
            sync: takes a task as far as it goes, under the task's lease.
            interval: seconds from one look at a task to the next.
            parallel: so many tasks under way at a time.
        """
        self._watched = {task_id: _Watched(task_id, review) for task_id, review in review_tasks.items()}
        self._look = look
        self._sync = sync
        self._tell = tell
        self._interval = interval
        self._parallel = parallel
        self._troubled: dict[int, type[SpamError]] = {}
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._once = False
        self._exit_code = 0

    def run(self, once: bool = False) -> int:
        """
        Args:
            once: one look at each task; what would pass counts as failed.

        Returns:
            0, or the exit code of the first failure.
        """
        self._once = once
        executor = ThreadPoolExecutor(self._parallel, thread_name_prefix="watch")
        try:
            while self._watched:
                self._begin_due(executor)
                with suppress(Empty):
                    self._inbox.get(timeout=self._seconds_to_next())()
        except KeyboardInterrupt:
            for watched in self._watched.values():
                if watched.is_under_way:
                    self._tell(Event("ending", watched.task_id, "interrupted: what is under way is finished first"))
            raise
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        return self._exit_code

    def hint(self, review_task: int) -> None:
        """Somebody says that this review task has changed: it is looked at now. For any thread."""
        self._inbox.put(partial(self._take_hint, review_task))

    def _begin_due(self, executor: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        for watched in self._watched.values():
            if watched.is_under_way or watched.due > now:
                continue
            watched.is_under_way = True
            watched.looked, watched.due = now, now + self._interval
            future = executor.submit(attempt, self._step, watched.task_id)
            future.add_done_callback(lambda done: self._inbox.put(partial(self._take_outcome, done)))

    def _seconds_to_next(self) -> float | None:
        due = [watched.due for watched in self._watched.values() if not watched.is_under_way]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _step(self, task_id: int) -> _Step:
        watched = self._watched[task_id]
        finished = self._look(watched.review_task) if watched.review_task is not None else None
        is_news = finished is None or finished != watched.finished
        return _Step(finished, self._sync(task_id) if is_news else None)

    def _take_hint(self, review_task: int) -> None:
        for watched in self._watched.values():
            soon = watched.looked + HINT_GAP
            if watched.review_task == review_task and soon < watched.due:
                watched.due = soon
                self._tell(Event("hint", watched.task_id, "CVAT says that a review job has changed"))

    def _take_outcome(self, done: Future[Outcome[_Step]]) -> None:
        outcome = done.result()
        watched = self._watched[outcome.task_id]
        watched.is_under_way = False
        if outcome.error is not None:
            self._take_error(watched, outcome.error)
            return
        assert outcome.result is not None
        self._end_trouble(watched)
        self._take_step(watched, outcome.result)
        if self._once:
            self._watched.pop(watched.task_id, None)

    def _take_step(self, watched: _Watched, step: _Step) -> None:
        report = step.report
        if report is None:
            return
        is_same_round = report.review_task == watched.review_task
        watched.review_task = report.review_task
        watched.finished = step.finished if is_same_round and step.finished else frozenset()
        self._tell(Event("synced", watched.task_id, in_words(report), {"report": asdict(report)}))
        if report.phase == "done":
            self._tell(Event("done", watched.task_id, "done: the budget is spent, or nothing is uncertain"))
            del self._watched[watched.task_id]

    def _take_error(self, watched: _Watched, error: SpamError) -> None:
        watched.failures += 1
        if self._once or not _may_pass(watched, error):
            self._exit_code = self._exit_code or error.exit_code
            self._tell(
                Event("failed", watched.task_id, str(error), {"error": str(error), "exit_code": error.exit_code})
            )
            self._troubled.pop(watched.task_id, None)
            del self._watched[watched.task_id]
            return
        pause = min(self._interval * 2.0**watched.failures, max(LONGEST_PAUSE, self._interval))
        watched.due = time.monotonic() + pause
        is_known = type(error) in self._troubled.values()
        self._troubled[watched.task_id] = type(error)
        if not is_known:
            text = f"{error}; trying on, from {pause:g} s to {max(LONGEST_PAUSE, self._interval):g} s apart"
            self._tell(Event("trouble", watched.task_id, text, {"error": str(error)}))

    def _end_trouble(self, watched: _Watched) -> None:
        watched.failures, watched.missing_since = 0, None
        if self._troubled.pop(watched.task_id, None) is not None and not self._troubled:
            self._tell(Event("recovered", None, "all tasks answer again"))


def in_words(report: SyncReport) -> str:
    """One line of where a task stands."""
    changes = report.changes
    parts = [
        f"round {report.round} of {report.rounds}",
        f"{report.clicks} of {report.budget_clicks} clicks",
        f"{changes['create']} tracks pushed, {changes['remove']} of ours replaced",
    ]
    if report.phase == "waiting":
        parts.append(f"{report.questions} questions wait in {report.waiting_jobs} jobs of task {report.review_task}")
    parts += [f"answers contradict each other: {conflict}" for conflict in report.conflicts]
    return "; ".join([*parts, *report.notes])


def _may_pass(watched: _Watched, error: SpamError) -> bool:
    """Whether waiting may help."""
    if isinstance(error, BackendError | BusyError):
        return True
    if not isinstance(error, ServerError):
        return False
    if error.status != 404:
        watched.missing_since = None
        return error.status in (None, 409, *RETRIED)
    watched.missing_since = watched.missing_since or time.monotonic()
    return time.monotonic() - watched.missing_since < MISSING_SECONDS
