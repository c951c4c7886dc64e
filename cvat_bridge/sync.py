"""``sync``: one state machine that goes as far as it can, and can be called again at any point.

    candidates → labels → push → ask → (people answer) → pull → constraints → labels → push → ask → …
                                                              with --retrain: → new candidates → labels

What was done is in the journal and in CVAT; a call with nothing new sends no write.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cvat_bridge.askable import OnShownFrames
from cvat_bridge.backend import Backend
from cvat_bridge.diff import deleted_identities
from cvat_bridge.fingerprint import changed_parts, fingerprint, outcome
from cvat_bridge.frames import TaskFrames
from cvat_bridge.identities import (
    candidate_identities,
    highest_run,
    keep_identities,
    marked_identities,
    recover_identities,
)
from cvat_bridge.journal import CANDIDATES_FILE, Journal, RoundRow
from cvat_bridge.memory import RoundMemory
from cvat_bridge.plan import Plan, plan_push
from cvat_bridge.progress import Progress
from cvat_bridge.retraining import Retrainer, Retraining, lost_answers
from cvat_bridge.review_desk import ReviewDesk
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Annotations, Job, Label, Task, User, parse
from cvat_bridge.writer import CvatWriter
from spam_model.active.registry import DEFAULT_STRATEGY, create_strategy
from spam_model.active.session import Session
from spam_model.active.strategies import select
from spam_model.errors import InputError, ServerError
from spam_model.storage import labels_to_bytes, read_candidates, write_atomically, write_candidates
from spam_model.values import Answer, Candidates, Constraints, LabelResult, Labels, Ledger, Query, full_effort

log = logging.getLogger(__name__)

DEFAULT_BUDGET = 0.033
DEFAULT_ROUNDS = 3
RECOVERED = (
    "the journal is new here, though tracks of ours stand in CVAT: they were recognised by their marks; tracks of ours "
    "that people deleted since they were pushed may come back"
)


@dataclass(frozen=True)
class SyncOptions:
    """``budget`` and ``rounds`` of None keep what the task was started with; ``reviewers`` are user names.

    ``retrain``: minutes to train the detector for, once answers have come in; None leaves it as it is.
    """

    budget: float | None = None
    rounds: int | None = None
    strategy: str = DEFAULT_STRATEGY
    reviewers: tuple[str, ...] = ()
    dry_run: bool = False
    retrain: float | None = None


@dataclass(frozen=True)
class SyncReport:
    """Where the task stands after a sync.

    ``phase`` is ``planned`` (dry run), ``waiting`` (for reviewers) or ``done``; ``changes`` counts tracks. A dry run
    also tells how many questions of each kind would be asked, and what their answers would cost. ``notes`` tell what
    was made again from CVAT, what is lost, and what came of a retraining, which ``retraining`` has in numbers.
    """

    task_id: int
    phase: str
    round: int
    rounds: int
    clicks: int
    budget_clicks: int
    effort: float
    questions: int
    waiting_jobs: int
    review_task: int | None
    changes: dict[str, int]
    conflicts: tuple[str, ...]
    would_ask: dict[str, int] = field(default_factory=dict)
    would_click: int = 0
    notes: tuple[str, ...] = ()
    retraining: Retraining | None = None
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Look:
    """What one look at the task gave, by job where it is of a job.

    Attributes:
        raw: annotations as the server gives them.
        gone: identities that a person deleted since the last sync.
        identity_of: track -> lasting identity.
        plan: what is to change.
        highest_run: the highest run number in the marks.
    """

    raw: dict[int, dict[str, Any]]
    gone: dict[int, frozenset[int]]
    identity_of: dict[int, int]
    plan: Plan
    highest_run: int


class Stopwatch:
    """Seconds per stage, in the order of first use."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


class Sync:
    """One task against one journal. Made for one call of ``run``."""

    def __init__(
        self,
        reader: CvatReader,
        writer: CvatWriter,
        journal: Journal,
        backend: Backend,
        frames: TaskFrames,
        task: Task,
        options: SyncOptions,
        progress: Progress,
        notes: tuple[str, ...] = (),
        retrainer: Retrainer | None = None,
    ) -> None:
        """
        Args:
            notes: what befell before, for the report.
            retrainer: where the detector is to be retrained.

        Raises:
            InputError: no strategy of this name, or one that needs more than a result.
        """
        self._strategy = OnShownFrames(create_strategy(options.strategy), frames.deleted)
        self._reader = reader
        self._writer = writer
        self._journal = journal
        self._backend = backend
        self._frames = frames
        self._task = task
        self._options = options
        self._progress = progress
        self._notes = notes
        self._retrainer = retrainer
        self._retraining: Retraining | None = None
        self._watch = Stopwatch()
        self.parts: dict[str, str] = {}  # what a dry run rested on, see ``fingerprint``

    def run(self, planned: Mapping[str, str] | None = None) -> SyncReport:
        """
        Args:
            planned: the parts of a plan; nothing is entered or sent where they are not as they were.

        Raises:
            SpamError: what is in the way, and what to do; a later call goes on from here.
        """
        labels_of_task = self._reader.labels(self._task.id)
        self._check_classes(labels_of_task)
        desk = ReviewDesk(self._task, self._reader, self._writer, self._journal, self._users())
        with self._watch.stage("candidates"):
            candidates = self._candidates()
        pulled, waiting = self._pull(desk)
        with self._watch.stage("label"):
            result = self._backend.label(candidates, pulled.constraints if pulled else Constraints())
        session = self._as_told(pulled or self._start(result.labels))
        if self._retrainer is not None:
            result = self._retrained(self._retrainer, candidates, result, session, waiting)

        jobs = self._reader.jobs(self._task.id)
        with self._watch.stage("plan"):
            look = self._look(result.labels, jobs, labels_of_task)
        if self._options.dry_run or planned is not None:
            questions = self._questions(session, result) if waiting == 0 else ()
            self.parts = {
                **fingerprint(
                    self._frames,
                    labels_of_task,
                    jobs,
                    look.raw,
                    pulled,
                    self._journal.get("settings"),
                    self._backend.describe(),
                ),
                **outcome(look.plan, questions),
            }
            if planned is not None:
                _refuse_if_changed(self._task.id, changed_parts(planned, self.parts))
        if self._options.dry_run:
            return self._report("planned", session, result, look.plan, waiting, questions)
        self._enter(session, waiting, look)
        self._push(look.plan, labels_of_task, result.labels, look.identity_of)

        if waiting == 0:
            with self._watch.stage("ask"):
                session = self._ask(session, result, desk)
            waiting = len(self._reader.jobs(task)) if (task := self._review_task()) and session.open_questions else 0
        self._journal.put("model", asdict(self._backend.describe()))
        report = self._report("waiting" if waiting else "done", session, result, look.plan, waiting)
        self._remember(report)
        return report

    def _candidates(self) -> Candidates:
        """Made once per task; the same serve every round, until a retraining replaces them."""
        path = self._journal.folder / CANDIDATES_FILE
        if path.exists():
            return read_candidates(path)
        numbers = self._frames.numbers()
        with self._progress.bar("candidates", len(numbers), "frame") as advance:
            candidates = self._backend.candidates(self._frames.info, self._frames.encoded_frames(numbers), advance)
        write_candidates(path, candidates)
        return candidates

    def _retrained(
        self, retrainer: Retrainer, candidates: Candidates, result: LabelResult, session: Session, waiting: int
    ) -> LabelResult:
        """Labels of the candidates that are in force after a retraining; as they are where now is not the time."""
        if reason := retrainer.reason_against(session, waiting):
            self._notes += (f"not retrained: {reason}",)
            return result
        with self._watch.stage("retrain"):
            open_questions = tuple(self._strategy.rank(result, session))
            candidates, self._retraining = retrainer.run(candidates, result, session, open_questions)
        self._notes += (self._retraining.story,)
        if not self._retraining.kept:
            return result
        with self._watch.stage("label"):
            after = self._backend.label(candidates, session.constraints)
        self._notes += lost_answers(result, after, session)
        return after

    def _pull(self, desk: ReviewDesk) -> tuple[Session | None, int]:
        """The session with what reviewers have completed, and the number of jobs still with them."""
        session = self._journal.session()
        rounds = self._journal.rounds()
        if session is None or not rounds or rounds[-1].state != "open":
            return session, 0
        queries = {query.id: query for query in session.asked}
        with self._watch.stage("pull"):
            answers, waiting = self._answers(desk, rounds[-1], queries)
        return session.tell(answers), waiting

    def _answers(self, desk: ReviewDesk, row: RoundRow, queries: dict[str, Query]) -> tuple[tuple[Answer, ...], int]:
        try:
            return desk.read_answers(row, queries)
        except ServerError as error:
            if error.status != 404:
                raise
            log.warning("review task %s was deleted in CVAT: its open questions stay unanswered", row.review_task)
            return (), 0

    def _start(self, labels: Labels) -> Session:
        """The budget is counted on the zero-click labels and frozen, so that it does not move with the answers."""
        full = full_effort(len(labels), len(labels.track_ids))
        budget = DEFAULT_BUDGET if self._options.budget is None else self._options.budget
        return Session(ledger=Ledger.for_fraction(full, budget), rounds=self._options.rounds or DEFAULT_ROUNDS)

    def _as_told(self, session: Session) -> Session:
        """The session with the budget and the rounds that this call asks for."""
        session = replace(session, rounds=self._options.rounds or session.rounds)
        if self._options.budget is None:
            return session
        wanted = Ledger.for_fraction(session.ledger.full, self._options.budget).budget
        return replace(session, ledger=replace(session.ledger, budget=wanted))

    def _look(self, labels: Labels, jobs: tuple[Job, ...], specs: tuple[Label, ...]) -> _Look:
        """Reads what stands in the task and plans what is to change; enters nothing."""
        raw = {job.id: self._reader.raw_annotations(job.id) for job in jobs}
        current = {key: parse(Annotations, body, f"the annotations of job {key}") for key, body in raw.items()}
        by_id = {label.id: label for label in specs}
        gone = {
            job.id: deleted_identities(self._journal.confirmed(job.id), current[job.id].tracks, by_id) for job in jobs
        }
        withheld = {job.id: self._journal.withheld(job.id) | gone[job.id] for job in jobs}
        previous = {int(key): value for key, value in (self._journal.get("identities") or {}).items()}
        if not previous:  # the first sync, or one whose journal was lost
            previous = recover_identities(labels, jobs, current, specs)
            self._notes = self._notes or ((RECOVERED,) if previous else ())
        highest = max(self._journal.highest_identity(), *marked_identities(current, specs), 0)
        identity_of = keep_identities(labels, previous, highest)
        written = frozenset().union(*(self._journal.written(job.id) for job in jobs))
        plan = plan_push(labels, identity_of, jobs, current, specs, written, withheld)
        return _Look(raw, gone, identity_of, plan, highest_run(current, specs))

    def _enter(self, session: Session, waiting: int, look: _Look) -> None:
        """Enters what was read and follows from it, before the first write to CVAT."""
        rounds = self._journal.rounds()
        with self._journal.transaction():
            self._journal.put_session(session)
            if waiting == 0 and rounds and rounds[-1].state == "open":
                self._journal.put_round(replace(rounds[-1], state="closed"))
            for job_id, identities in look.gone.items():
                self._journal.withhold(job_id, set(identities))
            for part in look.plan.jobs:
                self._journal.confirm(part.job_id, part.keep)
            self._journal.count_runs_from(look.highest_run)

    def _push(self, plan: Plan, specs: tuple[Label, ...], labels: Labels, identity_of: dict[int, int]) -> None:
        identities = candidate_identities(labels, identity_of)
        self._journal.put("identities", {str(key): value for key, value in identities.items()})
        write_atomically(self._journal.folder / "labels.safetensors", labels_to_bytes(labels))
        if plan.is_empty:
            return
        summary = plan.summary()
        with (
            self._watch.stage("push"),
            self._progress.bar("push", summary["create"] + summary["remove"], "track") as advance,
        ):
            self._writer.push(plan, specs, self._journal.next_run(), advance)

    def _questions(self, session: Session, result: LabelResult) -> tuple[Query, ...]:
        """What the next round asks, or the one that was interrupted while it was opened."""
        rounds = self._journal.rounds()
        if rounds and rounds[-1].state == "asking":
            this_round = {entry.query_id for entry in session.ledger.entries if entry.round == session.round}
            return tuple(query for query in session.asked if query.id in this_round)
        return select(self._strategy, result, session)

    def _ask(self, session: Session, result: LabelResult, desk: ReviewDesk) -> Session:
        queries = self._questions(session, result)
        rounds = self._journal.rounds()
        if not (rounds and rounds[-1].state == "asking"):
            if not queries:
                return session
            session = session.ask(queries)
            with self._journal.transaction():
                self._journal.put_session(session)
                self._journal.put_round(RoundRow(session.round, None, "asking"))
                run_of = self._journal.get("runs_of_rounds") or {}
                self._journal.put("runs_of_rounds", {**run_of, str(session.round): self._journal.last_run()})
            queries = self._questions(session, result)
        with self._progress.bar(f"cards of round {session.round}", len(queries), "card") as advance:
            desk.open_round(self._memory(session), queries, self._frames, result.labels, advance)
        return session

    def _memory(self, session: Session) -> RoundMemory:
        """What the round leaves in CVAT of itself; the backend's address is nobody's business there."""
        settings = {name: value for name, value in (self._journal.get("settings") or {}).items() if name != "backend"}
        run = (self._journal.get("runs_of_rounds") or {}).get(str(session.round), "r0")
        ledger = session.ledger
        return RoundMemory(self._task.id, session.round, ledger.full, ledger.budget, session.rounds, run, settings)

    def _review_task(self) -> int | None:
        rounds = self._journal.rounds()
        return rounds[-1].review_task if rounds and rounds[-1].state == "open" else None

    def _users(self) -> tuple[User, ...]:
        users = []
        for name in self._options.reviewers:
            user = self._reader.user(name)
            if user is None:
                raise InputError(f"--reviewer {name}: CVAT shows no such user to this account; check the name")
            users.append(user)
        return tuple(users)

    def _check_classes(self, specs: tuple[Label, ...]) -> None:
        names = [label.name for label in specs if label.type in ("any", "rectangle")]
        missing = [name for name in self._frames.info.class_names if name not in names]
        if missing:
            raise InputError(
                f"task {self._task.id} has no rectangle label called {', '.join(missing)}, it has: {', '.join(names)}; "
                "add it in CVAT, or choose other classes with --classes"
            )

    def _report(
        self,
        phase: str,
        session: Session,
        result: LabelResult,
        plan: Plan,
        waiting: int,
        would_ask: tuple[Query, ...] = (),
    ) -> SyncReport:
        ledger = session.ledger
        this_round = {entry.query_id for entry in ledger.entries if entry.round == session.round}
        return SyncReport(
            task_id=self._task.id,
            phase=phase,
            round=session.round,
            rounds=session.rounds,
            clicks=ledger.spent,
            budget_clicks=ledger.budget,
            effort=ledger.effort,
            questions=len({query.id for query in session.open_questions} & this_round) if waiting else 0,
            waiting_jobs=waiting,
            review_task=self._review_task(),
            changes=plan.summary(),
            conflicts=result.conflicts,
            would_ask=dict(Counter(str(query.kind) for query in would_ask)),
            would_click=sum(query.clicks for query in would_ask),
            notes=self._notes,
            retraining=self._retraining,
            seconds={name: round(value, 3) for name, value in self._watch.seconds.items()},
        )

    def _remember(self, report: SyncReport) -> None:
        """Keeps one line per state for the report; a sync with nothing new adds none."""
        history = self._journal.get("history") or []
        line = {"round": report.round, "clicks": report.clicks, "effort": report.effort, "seconds": report.seconds}
        if not history or (history[-1]["round"], history[-1]["clicks"]) != (report.round, report.clicks):
            self._journal.put("history", [*history, line])


def _refuse_if_changed(task_id: int, changed: tuple[str, ...]) -> None:
    """
    Raises:
        InputError: the plan is out of date.
    """
    if changed:
        raise InputError(
            f"task {task_id} has changed since it was planned: {', '.join(changed)}; nothing was sent. "
            f"Plan again with cvat-bridge plan {task_id}, and look at what is different"
        )
