"""``undo``: takes back what runs wrote, as far as nobody has worked on it since.

Tracks of ours that the runs wrote go, those of ours that they replaced come back as they were, mark included. Review
tasks of those runs go where nobody has opened or answered anything, and their questions can be asked again. Everything
is computed from CVAT as it stands, so that an undo that was interrupted is finished by calling it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cvat_bridge.diff import deleted_identities
from cvat_bridge.journal import Journal, RoundRow
from cvat_bridge.ownership import mark_of, run_number
from cvat_bridge.progress import Progress
from cvat_bridge.review_desk import ReviewDesk
from cvat_bridge.server import CvatReader
from cvat_bridge.undo_plan import Conflict, JobHistory, UndoPlan, plan_undo
from cvat_bridge.wire import Annotations, Job, Label, Task, parse
from cvat_bridge.writer import CvatWriter
from spam_model.active.session import Session
from spam_model.errors import InputError, ServerError

REMOVE_REVIEW_TASK = "remove review task"


@dataclass(frozen=True)
class UndoReport:
    """What was done, or would be.

    Attributes:
        phase: ``planned`` (dry run) or ``done``.
        runs: that were taken back, oldest first; empty where there was none.
        changes: tracks put back, removed, left as they were, and people's.
        review_tasks: that were removed.
        kept_review_tasks: that somebody has opened, answered or finished; they stay.
        conflicts: tracks and jobs that stay as they are, and why.
        notes: what cannot be restored, in words.
    """

    task_id: int
    phase: str
    runs: tuple[str, ...]
    changes: dict[str, int]
    review_tasks: tuple[int, ...]
    kept_review_tasks: tuple[int, ...]
    conflicts: tuple[Conflict, ...]
    notes: tuple[str, ...] = ()


class Undo:
    """One task against its journal. Made for one call of ``run``."""

    def __init__(
        self, reader: CvatReader, writer: CvatWriter, journal: Journal, task: Task, progress: Progress
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._journal = journal
        self._task = task
        self._progress = progress
        self._desk = ReviewDesk(task, reader, writer, journal)

    def run(self, run: str | None = None, dry_run: bool = False) -> UndoReport:
        """Takes back ``run`` and all later ones; without it, all of them.

        Raises:
            InputError: there was no such run.
            ServerError: CVAT refused a write; calling it again goes on.
        """
        specs = self._reader.labels(self._task.id)
        jobs = self._reader.jobs(self._task.id)
        current = {job.id: self._reader.annotations(job.id) for job in jobs}
        runs = self._runs(current, specs)
        if run is not None and run not in runs:
            raise InputError(f"task {self._task.id} has no run {run}; it has: {', '.join(runs) or 'none'}")
        since = run_number(run) if run else 0
        undo = self._plan(since, jobs, current, specs)
        rounds = self._rounds_since(since)
        removable, kept = self._sorted_by_use(rounds)
        if not dry_run:
            self._journal.count_runs_from(max(map(run_number, runs), default=0))
            self._apply(undo, specs, removable)
        summary = undo.plan.summary()
        return UndoReport(
            task_id=self._task.id,
            phase="planned" if dry_run else "done",
            runs=tuple(name for name in runs if run_number(name) >= since),
            changes={
                "restore": summary["create"],
                "remove": summary["remove"],
                "keep": summary["keep"],
                "persons": summary["persons"],
            },
            review_tasks=tuple(row.review_task for row in removable if row.review_task),
            kept_review_tasks=tuple(row.review_task for row in kept if row.review_task),
            conflicts=undo.conflicts,
            notes=self._notes(runs, since),
        )

    def _runs(self, current: dict[int, Annotations], specs: tuple[Label, ...]) -> tuple[str, ...]:
        """Runs that the journal or the marks in CVAT know of, oldest first."""
        by_id = {label.id: label for label in specs}
        tracks = (track for annotations in current.values() for track in annotations.tracks)
        marks = (mark_of(track, by_id.get(track.label_id)) for track in tracks)
        return tuple(sorted({mark.run for mark in marks if mark} | self._journal.runs().keys(), key=run_number))

    def _plan(
        self, since: int, jobs: tuple[Job, ...], current: dict[int, Annotations], specs: tuple[Label, ...]
    ) -> UndoPlan:
        by_id = {label.id: label for label in specs}
        snapshots = self._journal.snapshots_since(since)
        history = {}
        for job in jobs:
            gone = deleted_identities(self._journal.confirmed(job.id), current[job.id].tracks, by_id)
            body = snapshots.get(job.id)
            history[job.id] = JobHistory(
                before=parse(Annotations, body, f"the snapshot of job {job.id}") if body is not None else None,
                identities=self._journal.written_identities(job.id),
                deleted=self._journal.withheld(job.id) | gone,
            )
        return plan_undo(since, jobs, current, history, specs)

    def _apply(self, undo: UndoPlan, specs: tuple[Label, ...], removable: tuple[RoundRow, ...]) -> None:
        for row in removable:
            self._forget_round(row)
        self._remove_forgotten()
        if undo.plan.is_empty:
            return
        for job in undo.plan.jobs:
            self._journal.confirm(job.job_id, job.keep)
        summary = undo.plan.summary()
        with self._progress.bar("undo", summary["create"] + summary["remove"], "track") as advance:
            self._writer.push(undo.plan, specs, self._journal.next_run(), advance)

    def _rounds_since(self, since: int) -> tuple[RoundRow, ...]:
        """Rounds that were opened by these runs, the last first; of an unknown run only where all are taken back."""
        run_of = self._journal.get("runs_of_rounds") or {}
        return tuple(
            replace(row, review_task=row.review_task or self._desk.find_round(row.number))
            for row in reversed(self._journal.rounds())
            if run_number(run_of.get(str(row.number), "r0")) >= since
        )

    def _sorted_by_use(self, rounds: tuple[RoundRow, ...]) -> tuple[tuple[RoundRow, ...], tuple[RoundRow, ...]]:
        """Rounds that can be taken back, and those that cannot; before a round that stays, all do."""
        for position, row in enumerate(rounds):
            if row.state == "closed" or not self._is_untouched(row.review_task):
                return rounds[:position], rounds[position:]
        return rounds, ()

    def _is_untouched(self, review_task: int | None) -> bool:
        """Whether nobody has worked in it; one that is gone or was never made is nobody's work."""
        if review_task is None:
            return True
        try:
            return self._desk.is_untouched(review_task)
        except ServerError as error:
            if error.status != 404:
                raise
            return True

    def _forget_round(self, row: RoundRow) -> None:
        """Takes the round's questions back, and enters its review task to be removed, in one transaction."""
        session = self._journal.session()
        with self._journal.transaction():
            if session is not None:
                self._journal.put_session(without_round(session, row.number))
            self._journal.drop_round(row.number)
            if row.review_task is not None:
                self._journal.intend("", REMOVE_REVIEW_TASK, f"task {row.review_task}", [])

    def _remove_forgotten(self) -> None:
        """Removes review tasks that were entered for it, by this undo or one that was interrupted."""
        in_use = {row.review_task for row in self._journal.rounds()}
        for intent, target in self._journal.open_intents(REMOVE_REVIEW_TASK).items():
            review_task = int(target.removeprefix("task "))
            unused = review_task not in in_use and self._is_untouched(review_task)
            if unused:
                self._writer.remove_review_task(review_task)
            self._journal.close_intent(intent, committed=unused)

    def _notes(self, runs: tuple[str, ...], since: int) -> tuple[str, ...]:
        unknown = [name for name in runs if name not in self._journal.runs() and run_number(name) >= since]
        if not unknown:
            return ()
        return (
            f"the journal does not know {', '.join(unknown)}: what they wrote is taken back, what they replaced is "
            "not known any more and cannot be put back",
        )


def without_round(session: Session, number: int) -> Session:
    """The session before its last round, which nobody has answered."""
    taken_back = {entry.query_id for entry in session.ledger.entries if entry.round == number}
    return replace(
        session,
        round=number - 1,
        asked=tuple(query for query in session.asked if query.id not in taken_back),
        ledger=replace(
            session.ledger, entries=tuple(entry for entry in session.ledger.entries if entry.round != number)
        ),
    )
