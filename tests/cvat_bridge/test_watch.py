"""Waiting for reviewers: when a task is looked at and synced, when not, and what an unwell server does to it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from cvat_sdk import Client

from cvat_bridge import questions
from cvat_bridge import watch as watching
from cvat_bridge.assembly import open_journal, read_journal
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import SyncReport
from cvat_bridge.watch import Event, FinishedJobs, Watch, finished_jobs, open_review_task
from spam_model.errors import BackendError, BusyError, InputError, ServerError, SpamError
from tests.cvat_bridge.bench import Bench
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.proxy import DROPPED, Fault, Proxy

NOTHING: FinishedJobs = frozenset()
ONE: FinishedJobs = frozenset({(5, None)})
WAITING = SyncReport(
    task_id=1,
    phase="waiting",
    round=1,
    rounds=2,
    clicks=0,
    budget_clicks=8,
    effort=0.0,
    questions=3,
    waiting_jobs=2,
    review_task=100,
    changes={"create": 4, "remove": 0},
    conflicts=(),
)
DONE = replace(WAITING, phase="done", review_task=None)


class Told(list[Event]):
    """What a watch tells, by name."""

    @property
    def names(self) -> list[str]:
        return [event.name for event in self]

    def of(self, task_id: int | None) -> list[str]:
        return [event.name for event in self if event.task_id == task_id]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture(autouse=True)
def small_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "CARDS_PER_JOB", 2)
    monkeypatch.setattr(watching, "HINT_GAP", 0.0)


@pytest.fixture
def bench(lead: Client, proxy: Proxy, make_task: MakeTask, sequence: Path, tmp_path: Path) -> Bench:
    return Bench(lead, sequence, tmp_path / "state", make_task(segment_size=20))


def watch_of(
    told: Told,
    look: Callable[[int], FinishedJobs | None],
    sync: Callable[[int], SyncReport],
    tasks: Mapping[int, int | None] | None = None,
    interval: float = 0.01,
    parallel: int = 1,
) -> Watch:
    return Watch(tasks or {1: 100}, look, sync, told.append, interval, parallel)


def one_after_another(*values: object) -> Callable[[int], object]:
    """Gives or raises them; the last one for ever."""
    left = list(values)

    def next_one(_: int) -> object:
        value = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(value, BaseException):
            raise value
        return value

    return next_one


def test_nothing_is_synced_until_a_job_is_completed_and_once_for_each_that_is(told: Told) -> None:
    two = ONE | {(6, None)}
    looks = one_after_another(NOTHING, NOTHING, ONE, ONE, ONE, two, two)
    synced: list[int] = []

    def sync(task_id: int) -> SyncReport:
        synced.append(task_id)
        return DONE if len(synced) == 2 else WAITING

    assert watch_of(told, looks, sync).run() == 0
    assert synced == [1, 1]
    assert told.names == ["synced", "synced", "done"]


@pytest.mark.parametrize(
    ("review_task", "found"), [(None, NOTHING), (100, None)], ids=["no open round", "review task was deleted"]
)
def test_a_task_without_review_jobs_is_synced_at_once(told: Told, review_task: int | None, found: FinishedJobs) -> None:
    assert watch_of(told, one_after_another(found), lambda task_id: DONE, {1: review_task}).run() == 0
    assert told.names == ["synced", "done"]


def test_a_job_that_was_completed_while_the_sync_ran_is_taken_in_by_the_next(told: Told) -> None:
    later = ONE | {(6, None)}
    reports = one_after_another(WAITING, DONE)
    assert watch_of(told, one_after_another(ONE, later), reports).run() == 0
    assert told.names == ["synced", "synced", "done"]


def test_a_job_that_was_changed_after_it_was_completed_is_news_again(bench: Bench) -> None:
    job = bench.reader.jobs(bench.task)[0]
    bench.complete(job)
    before = finished_jobs(bench.reader, bench.task)
    assert before == finished_jobs(bench.reader, bench.task)
    bench.patch(job.id, "create", tags=[])
    after = finished_jobs(bench.reader, bench.task)
    assert before is not None
    assert after is not None
    assert {key for key, _ in before} == {key for key, _ in after} == {job.id}
    assert before != after


def test_a_server_that_is_away_for_a_while_is_told_once_and_asked_less_and_less(told: Told) -> None:
    gone = ServerError("no answer from CVAT")
    moments: list[float] = []
    looks = one_after_another(gone, ServerError("502", 502), ServerError("404", 404), gone, ONE)

    def look(review_task: int) -> FinishedJobs | None:
        moments.append(time.monotonic())
        return looks(review_task)

    assert watch_of(told, look, lambda task_id: DONE).run() == 0
    assert told.names == ["trouble", "recovered", "synced", "done"]
    gaps = [after - before for before, after in pairwise(moments)]
    assert all(gap >= 0.01 * 2.0**n for n, gap in enumerate(gaps, start=1))


def test_the_pauses_have_an_end(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LONGEST_PAUSE", 0.02)
    gone = ServerError("no answer from CVAT")
    started = time.monotonic()
    assert watch_of(told, one_after_another(*[gone] * 10, ONE), lambda task_id: DONE).run() == 0
    assert 0.2 <= time.monotonic() - started < 5.0  # 0.01 * 2 ** 10 = 10 s without it


def test_a_server_that_is_away_is_told_once_for_all_its_tasks(told: Told) -> None:
    tasks = {number: 100 + number for number in range(5)}
    failures = Counter[int]()

    def look(review_task: int) -> FinishedJobs:
        failures[review_task] += 1
        if failures[review_task] < 4:
            raise ServerError("no answer from CVAT")
        return ONE

    assert watch_of(told, look, lambda task_id: DONE, tasks, parallel=3).run() == 0
    assert Counter(told.names) == {"trouble": 1, "recovered": 1, "synced": 5, "done": 5}


@pytest.mark.parametrize(
    "error", [ServerError("busy", 503), BusyError("another cvat-bridge works on it"), BackendError("function gone")]
)
def test_a_sync_that_fails_for_a_while_is_tried_again(told: Told, error: SpamError) -> None:
    syncs = one_after_another(error, error, DONE)
    assert watch_of(told, one_after_another(ONE), syncs).run() == 0
    assert told.names == ["trouble", "recovered", "synced", "done"]


@pytest.mark.parametrize(
    ("error", "code"), [(InputError("no label"), 2), (ServerError("token", 401), 7), (ServerError("gone", 404), 7)]
)
def test_a_task_that_fails_for_good_ends_alone_and_gives_the_exit_code(
    told: Told, error: SpamError, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MISSING_SECONDS", 0.05)

    def sync(task_id: int) -> SyncReport:
        if task_id == 1:
            raise error
        return DONE

    assert watch_of(told, one_after_another(ONE), sync, {1: 100, 2: 200}).run() == code
    assert told.of(1)[-1] == "failed"
    assert told.of(2) == ["synced", "done"]


def test_once_looks_once_and_does_not_wait_for_anything(told: Told) -> None:
    def look(review_task: int) -> FinishedJobs:
        if review_task == 300:
            raise ServerError("no answer from CVAT")
        return NOTHING if review_task == 100 else ONE

    tasks = {1: 100, 2: 200, 3: 300}
    assert watch_of(told, look, lambda task_id: WAITING, tasks, interval=3600.0).run(once=True) == 7
    assert (told.of(1), told.of(2), told.of(3)) == ([], ["synced"], ["failed"])


def test_a_long_sync_of_one_task_does_not_hold_up_the_other(told: Told) -> None:
    other_is_done = threading.Event()

    def sync(task_id: int) -> SyncReport:
        assert task_id == 2 or other_is_done.wait(10)
        if task_id == 2:
            other_is_done.set()
        return DONE

    assert watch_of(told, one_after_another(ONE), sync, {1: 100, 2: 200}, parallel=2).run() == 0


def test_what_is_no_error_of_ours_ends_the_watch(told: Told) -> None:
    with pytest.raises(ZeroDivisionError):
        watch_of(told, one_after_another(ZeroDivisionError()), lambda task_id: DONE).run()


class Watching:
    """A watch that runs beside the test."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.codes: list[int] = []
        self._thread = threading.Thread(target=lambda: self.codes.append(watch.run()), daemon=True)
        self._thread.start()

    def ended(self) -> bool:
        self._thread.join(20)
        return self.codes == [0]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


def test_a_hint_wakes_the_watch_at_once_and_only_for_the_task_it_names(told: Told) -> None:
    looked = Counter[int]()
    found: dict[int, FinishedJobs] = {100: NOTHING, 200: NOTHING}

    def look(review_task: int) -> FinishedJobs:
        looked[review_task] += 1
        return found[review_task]

    running = Watching(watch_of(told, look, lambda task_id: DONE, {1: 100, 2: 200}, interval=3600.0))
    until(lambda: looked == {100: 1, 200: 1})
    running.watch.hint(999)
    running.watch.hint(200)
    until(lambda: looked[200] == 2)
    assert looked[100] == 1
    assert told.names == ["hint"], "a hint is no news: nothing was found"
    found.update({100: ONE, 200: ONE})
    running.watch.hint(100)
    running.watch.hint(200)
    assert running.ended()


def test_a_flood_of_hints_is_a_look_now_and_then(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "HINT_GAP", 0.1)
    moments: list[float] = []
    flood_is_over = threading.Event()

    def look(review_task: int) -> FinishedJobs:
        moments.append(time.monotonic())
        return ONE if flood_is_over.is_set() else NOTHING

    running = Watching(watch_of(told, look, lambda task_id: DONE, interval=3600.0))
    for _ in range(300):
        running.watch.hint(100)
        time.sleep(0.001)
    flood_is_over.set()
    running.watch.hint(100)
    assert running.ended()
    assert len(moments) <= (moments[-1] - moments[0]) / 0.1 + 3


def reviewed(reader: CvatReader, at: dict[int, Callable[[], object]]) -> Callable[[int], FinishedJobs | None]:
    """Looks as a real one; after the n-th that succeeds, reviewers do what ``at`` says."""
    count = 0

    def look(review_task: int) -> FinishedJobs | None:
        nonlocal count
        found = finished_jobs(reader, review_task)
        count += 1
        at.get(count, lambda: None)()
        return found

    return look


def test_two_tasks_are_taken_from_round_to_round_until_they_are_done_and_an_idle_look_is_one_read(
    bench: Bench, lead: Client, make_task: MakeTask, sequence: Path, proxy: Proxy, told: Told
) -> None:
    other = Bench(lead, sequence, bench.state, make_task(segment_size=20))
    by_task = {each.task: each for each in (bench, other)}
    bench.sync()
    other.sync(rounds=1)
    started = {}
    for task_id in by_task:
        with read_journal(lead, bench.state, task_id) as journal:
            started[task_id] = open_review_task(journal)
    assert None not in started.values()
    proxy.reset()
    rounds = {bench.task: 2, other.task: 1}
    idle: list[tuple[int, int]] = []

    def answer(each: Bench, count: int | None = None) -> None:
        jobs = [job for job in each.reader.jobs(each.review_tasks()[-1]) if job.state != "completed"]
        each.answer(jobs[:count])

    look = reviewed(
        bench.reader,
        {
            6: lambda: (idle.append((proxy.reads, proxy.writes.total())), answer(bench, 1)),
            10: lambda: (answer(bench), answer(other)),
            14: lambda: answer(bench),
        },
    )
    assert watch_of(told, look, lambda task_id: by_task[task_id].sync(None, rounds[task_id]), started).run() == 0
    assert idle == [(6, 0)], "six looks are six reads and no write"
    reports = {
        number: [e.details["report"] for e in told if e.name == "synced" and e.task_id == number] for number in by_task
    }
    assert [(r["phase"], r["round"]) for r in reports[bench.task]] == [("waiting", 1), ("waiting", 2), ("done", 2)]
    assert [(r["phase"], r["round"]) for r in reports[other.task]] == [("done", 1)]
    for each in by_task.values():
        answers = each.session().answers
        assert len({answer.query_id for answer in answers}) == len(answers) == len(each.session().asked)
        assert len(each.review_tasks()) == rounds[each.task]


def test_a_server_that_restarts_while_it_is_looked_at_and_while_it_is_synced_costs_nothing(
    bench: Bench, proxy: Proxy, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes when a sync or a look begins, and comes back after it was missed."""
    monkeypatch.setattr("urllib3.util.retry.Retry.sleep", lambda self, response=None: None)
    bench.sync(rounds=1)
    (review,) = bench.review_tasks()
    gone = [Fault("GET", r"/api/jobs\?", status, times=times) for status, times in ((DROPPED, 6), (502, 3), (404, 1))]
    unwell = [Fault("GET", r"/annotations", 503, times=10**6)]

    def answer() -> None:
        bench.answer(bench.reader.jobs(review))
        proxy.faults = unwell

    def tell(event: Event) -> None:
        told.append(event)
        if proxy.faults is unwell and event.name == "trouble":
            proxy.reset()

    look = reviewed(bench.reader, {2: lambda: setattr(proxy, "faults", gone), 4: answer})
    watch = Watch({bench.task: review}, look, lambda task_id: bench.sync(None, 1), tell, interval=0.01)
    assert watch.run() == 0
    assert told.names == ["trouble", "recovered", "trouble", "recovered", "synced", "done"]
    assert len(bench.session().answers) == len(bench.session().asked)
    assert set(bench.ours().values()) == {1}


def test_while_another_command_works_on_the_task_the_watch_waits(bench: Bench, told: Told) -> None:
    def sync(task_id: int) -> SyncReport:
        with open_journal(bench.client, bench.state, task_id):
            return DONE

    lease = open_journal(bench.client, bench.state, bench.task)
    running = Watching(watch_of(told, one_after_another(ONE), sync, {bench.task: 100}))
    until(lambda: told.names == ["trouble"])
    lease.close()
    assert running.ended()
    assert told.names == ["trouble", "recovered", "synced", "done"]
    assert "another cvat-bridge" in told[0].text


def test_a_task_that_was_never_synced_is_not_begun_by_a_watch(bench: Bench) -> None:
    with open_journal(bench.client, bench.state, bench.task) as journal, pytest.raises(InputError, match="sync"):
        open_review_task(journal)
