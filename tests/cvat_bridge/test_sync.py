"""The labelling loop against a server: what is asked, taken, spent; and what stays as people left it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from cvat_sdk import Client, models

from cvat_bridge import questions
from cvat_bridge.assembly import open_journal
from cvat_bridge.ownership import digest_of, mark_of
from cvat_bridge.wire import Track
from cvat_bridge.writer import CvatWriter
from spam_model.errors import InputError
from tests.cvat_bridge.bench import Bench, request_of
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.proxy import Fault, Proxy


@pytest.fixture(autouse=True)
def small_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "CARDS_PER_JOB", 2)


@pytest.fixture
def bench(lead: Client, proxy: Proxy, make_task: MakeTask, sequence: Path, tmp_path: Path) -> Bench:
    made = Bench(lead, sequence, tmp_path / "state", make_task(segment_size=20))
    proxy.reset()
    return made


def test_the_loop_from_the_first_push_to_the_last_answer(bench: Bench, proxy: Proxy) -> None:
    first = bench.sync()
    assert first.phase == "waiting"
    assert first.changes["create"] > 0
    assert first.clicks == 0
    assert set(bench.ours().values()) == {1}
    assert 0 < first.questions <= first.budget_clicks
    (review,) = bench.review_tasks()
    jobs = bench.reader.jobs(review)
    assert len(jobs) == first.waiting_jobs > 1

    proxy.reset()
    again = bench.sync()
    assert not proxy.writes, "a sync with nothing new sends no write"
    assert (again.phase, again.waiting_jobs, again.questions) == ("waiting", first.waiting_jobs, first.questions)

    half = jobs[: len(jobs) // 2]
    answered = bench.answer(half)
    part = bench.sync()
    assert (part.phase, part.round, part.waiting_jobs) == ("waiting", 1, len(jobs) - len(half))
    assert len(bench.session().answers) == answered == part.clicks
    assert bench.review_tasks() == [review]

    bench.answer(jobs[len(half) :])
    second = bench.sync()
    assert (second.phase, second.round) == ("waiting", 2)
    assert len(bench.review_tasks()) == 2
    assert part.clicks < second.clicks <= second.budget_clicks

    bench.answer(bench.reader.jobs(bench.review_tasks()[-1]))
    done = bench.sync()
    assert done.phase == "done"
    assert second.clicks < done.clicks <= done.budget_clicks
    assert set(bench.ours().values()) == {1}

    proxy.reset()
    assert bench.sync().phase == "done"
    assert not proxy.writes


def test_a_question_mark_left_standing_is_neither_charged_nor_asked_again(bench: Bench) -> None:
    bench.sync()
    asked = {query.id for query in bench.session().asked}
    (review,) = bench.review_tasks()
    for job in bench.reader.jobs(review):
        bench.complete(job)
    after = bench.sync()
    boxes = sum(entry.charged for entry in bench.session().ledger.entries if entry.kind == "localization")
    assert after.clicks == boxes
    assert not any(answer.choice for answer in bench.session().answers)
    assert not asked & {query.id for query in bench.session().asked[len(asked) :]}


def test_what_people_drew_edited_and_deleted_survives_the_next_syncs(bench: Bench) -> None:
    bench.sync()
    job = bench.reader.jobs(bench.task)[0]
    (label,) = bench.reader.labels(bench.task)
    edited, deleted, tagged, *_ = bench.reader.annotations(job.id).tracks
    moved = [
        models.TrackedShapeRequest(type="rectangle", frame=2, points=[5.0, 5.0, 60.0, 90.0], attributes=[]),
    ]
    bench.patch(job.id, "update", tracks=[request_of(edited, frame=2, shapes=moved)])
    bench.patch(job.id, "update", tracks=[request_of(tagged, source="auto", group=5)])
    bench.patch(job.id, "delete", tracks=[request_of(deleted)])
    drawn = models.LabeledTrackRequest(
        frame=0,
        label_id=label.id,
        source="manual",
        shapes=[models.TrackedShapeRequest(type="rectangle", frame=0, points=[1.0, 200.0, 20.0, 239.0])],
    )
    bench.patch(job.id, "create", tracks=[drawn])

    def theirs() -> list[str]:
        return sorted(
            digest_of(track)
            for track in bench.reader.annotations(job.id).tracks
            if track.source != "auto" or track.group
        )

    def identities() -> list[int]:
        marks = (mark_of(track, label) for track in bench.reader.annotations(job.id).tracks)
        return [mark.identity for mark in marks if mark]

    before = theirs()
    assert len(before) == 3
    gone = mark_of(deleted, label)
    assert gone is not None
    for _ in range(2):
        for review_job in bench.reader.jobs(bench.review_tasks()[-1]):
            bench.answer([review_job])
        report = bench.sync()
        assert theirs() == before
        assert gone.identity not in identities()
        assert len(set(identities())) == len(identities())
        assert report.changes["persons"] == 3


def test_a_dry_run_sends_nothing_and_remembers_nothing(bench: Bench, proxy: Proxy) -> None:
    proxy.reset()
    report = bench.sync(dry_run=True)
    assert report.phase == "planned"
    assert report.changes["create"] > 0
    assert not proxy.writes
    with open_journal(bench.client, bench.state, bench.task) as journal:
        assert (journal.session(), journal.rounds(), journal.count_intents()) == (None, (), 0)
    first = bench.sync()
    assert first.changes == report.changes
    bench.answer(bench.reader.jobs(bench.review_tasks()[0]))
    before = bench.session()
    proxy.reset()
    assert bench.sync(dry_run=True).clicks > 0
    assert not proxy.writes
    assert bench.session() == before


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


@pytest.mark.parametrize(
    ("step", "done_before"),
    [
        ("review_project", True),
        ("review_task", False),
        ("review_task", True),
        ("put_cards", True),
        ("task_guide", False),
    ],
)
def test_killed_while_asking_the_next_sync_ends_with_one_review_task_and_each_mark_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str, done_before: bool
) -> None:
    real = getattr(CvatWriter, step)

    def killed(self: CvatWriter, *args: Any, **kwargs: Any) -> None:
        if done_before:
            real(self, *args, **kwargs)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(CvatWriter, step, killed)
        with pytest.raises(Killed):
            bench.sync()
    asked = bench.session().asked
    report = bench.sync()
    assert report.phase == "waiting"
    assert bench.session().asked == asked
    (review,) = bench.review_tasks()
    marks = [
        mark.frame
        for job in bench.reader.jobs(review)
        for kind in (bench.reader.annotations(job.id).tags, bench.reader.annotations(job.id).shapes)
        for mark in kind
    ]
    assert sorted(marks) == list(range(len(asked)))
    task, _ = bench.client.api_client.tasks_api.retrieve(review)
    assert task.guide_id is not None


def test_killed_after_a_commit_a_later_deletion_by_a_person_is_still_respected(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("cvat_bridge.journal.Journal.confirm", killed)
        with pytest.raises(Killed):
            bench.sync(budget=0.0)
    bench.sync(budget=0.0)
    job = bench.reader.jobs(bench.task)[0]
    victim = bench.reader.annotations(job.id).tracks[0]
    bench.patch(job.id, "delete", tracks=[request_of(victim)])
    bench.sync(budget=0.0)
    assert digest_of(victim) not in {digest_of(track) for track in bench.reader.annotations(job.id).tracks}


def test_two_tasks_side_by_side_do_not_know_of_each_other(
    bench: Bench, make_task: MakeTask, lead: Client, sequence: Path, proxy: Proxy
) -> None:
    other = Bench(lead, sequence, bench.state, make_task(segment_size=20))
    bench.sync()
    other.sync()
    assert bench.review_tasks() != other.review_tasks()
    bench.answer(bench.reader.jobs(bench.review_tasks()[0]))
    assert bench.sync().round == 2
    proxy.reset()
    assert other.sync().clicks == 0
    assert not proxy.writes
    assert len(other.review_tasks()) == 1


def test_without_the_journal_nothing_is_doubled_and_nothing_of_people_is_lost(bench: Bench) -> None:
    bench.sync()
    bench.answer(bench.reader.jobs(bench.review_tasks()[0]))
    bench.sync()
    job = bench.reader.jobs(bench.task)[0]
    edited: Track = bench.reader.annotations(job.id).tracks[0]
    bench.patch(
        job.id,
        "update",
        tracks=[
            request_of(
                edited,
                shapes=[models.TrackedShapeRequest(type="rectangle", frame=edited.frame, points=[1.0, 1.0, 9.0, 9.0])],
            )
        ],
    )
    shutil.rmtree(bench.state)
    report = bench.sync()
    assert set(bench.ours().values()) == {1}
    assert len(bench.review_tasks()) == 2
    assert report.changes["persons"] == 1
    theirs = [track for track in bench.tracks() if track.source != "auto"]
    assert [track.shapes[0].points for track in theirs] == [(1.0, 1.0, 9.0, 9.0)]


def test_without_the_journal_the_loop_goes_on_where_it_was(bench: Bench, proxy: Proxy) -> None:
    """Questions, answers, clicks and budget of all rounds come back from CVAT."""
    bench.sync()
    bench.answer(bench.reader.jobs(bench.review_tasks()[0]))
    bench.sync()
    bench.answer(bench.reader.jobs(bench.review_tasks()[1])[:1])
    waiting = bench.sync()
    before, tracks = bench.session(), bench.ours()
    shutil.rmtree(bench.state)
    proxy.reset()
    report = bench.sync(budget=None)
    assert not proxy.writes, "all that is to be done was done"
    assert bench.session() == before
    assert bench.ours() == tracks
    assert (report.phase, report.round, report.clicks, report.questions) == (
        "waiting",
        waiting.round,
        waiting.clicks,
        waiting.questions,
    )
    assert f"found 2 rounds, {len(before.asked)} questions and {len(before.answers)} answers" in report.notes[0]
    assert any("may come back" in note for note in report.notes)
    bench.answer(bench.reader.jobs(bench.review_tasks()[1])[1:])
    done = bench.sync(budget=None)
    assert (done.phase, done.notes) == ("done", ())
    assert done.clicks > report.clicks


def test_a_round_whose_record_is_gone_is_told_and_not_asked_twice(bench: Bench, lead: Client) -> None:
    bench.sync()
    bench.answer(bench.reader.jobs(bench.review_tasks()[0]))
    bench.sync()
    first, second = bench.review_tasks()
    answers = len(bench.session().answers)
    task, _ = lead.api_client.tasks_api.retrieve(second)
    body = models.PatchedAnnotationGuideWriteRequest(markdown="rewritten by hand")
    lead.api_client.guides_api.partial_update(task.guide_id, patched_annotation_guide_write_request=body)
    shutil.rmtree(bench.state)
    report = bench.sync(budget=None)
    assert any(f"review task {second} (round 2)" in note and "lost" in note for note in report.notes)
    assert len(bench.session().answers) == answers
    assert bench.review_tasks() == [first, second]
    assert bench.session().round == 2


def test_a_label_without_our_attributes_works_from_the_journal(
    lead: Client, proxy: Proxy, make_task: MakeTask, sequence: Path, tmp_path: Path
) -> None:
    plain = Bench(lead, sequence, tmp_path / "state", make_task(attributes=False))
    created = plain.sync().changes["create"]
    assert len(plain.tracks()) == created
    proxy.reset()
    plain.sync()
    assert not proxy.writes
    plain.answer(plain.reader.jobs(plain.review_tasks()[0]))
    second = plain.sync()
    assert len(plain.tracks()) == created + second.changes["create"] - second.changes["remove"]
    assert second.changes["persons"] == 0


def test_no_secret_is_left_on_the_disk(bench: Bench) -> None:
    bench.sync()
    cookies = bench.client.api_client.cookies
    secrets = [cookies["sessionid"].value, cookies["csrftoken"].value, "admin-secret"]
    files = [path for path in bench.state.rglob("*") if path.is_file()]
    assert any(path.name == "journal.sqlite" for path in files)
    for path in files:
        content = path.read_bytes()
        assert not any(secret.encode() in content for secret in secrets), path


def test_a_push_that_fails_half_way_is_finished_by_the_next_sync(bench: Bench, proxy: Proxy) -> None:
    proxy.faults = [Fault("PATCH", r"/api/jobs/\d+/annotations", 403, skip=1)]
    with pytest.raises(Exception, match="403"):
        bench.sync(budget=0.0)
    assert len(bench.tracks()) > 0
    report = bench.sync(budget=0.0)
    assert set(bench.ours().values()) == {1}
    assert report.changes["keep"] > 0


@pytest.mark.parametrize("budget", [0.0, 0.004])
def test_no_budget_asks_no_question_beyond_it(bench: Bench, budget: float) -> None:
    report = bench.sync(budget=budget)
    assert sum(entry.clicks for entry in bench.session().ledger.entries) <= report.budget_clicks
    assert len(bench.review_tasks()) == (report.questions > 0)


def test_a_budget_that_is_cut_below_what_was_spent_ends_the_questions(bench: Bench) -> None:
    bench.sync()
    bench.answer(bench.reader.jobs(bench.review_tasks()[0]))
    report = bench.sync(budget=0.001)
    assert (report.phase, len(bench.review_tasks())) == ("done", 1)


def test_a_reviewer_whom_cvat_does_not_know_is_named_before_anything_is_sent(bench: Bench, proxy: Proxy) -> None:
    proxy.reset()
    with pytest.raises(InputError, match="--reviewer nobody-here"):
        bench.sync(reviewers=("nobody-here",))
    assert not proxy.writes


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ("error-per-click", "no strategy is called 'error-per-click'; there are: track-review"),
        ("ensemble", "needs the weights"),
        ("random/nosuch", "no strategy is called 'nosuch'"),
    ],
)
def test_a_strategy_that_cannot_be_used_is_named_before_anything_is_sent(
    bench: Bench, proxy: Proxy, strategy: str, reason: str
) -> None:
    proxy.reset()
    with pytest.raises(InputError, match=reason):
        bench.sync(strategy=strategy)
    assert not proxy.writes


def test_two_strategies_can_share_the_questions(bench: Bench) -> None:
    report = bench.sync(strategy="random/spam")
    assert report.phase == "waiting"
    assert all(query.topic is None for query in bench.session().asked)


def test_an_identity_that_went_out_of_use_gets_no_second_meaning(bench: Bench) -> None:
    """A person deleted object 900; were its number used again, the new object would be held back."""
    bench.sync(budget=0.0)
    with open_journal(bench.client, bench.state, bench.task) as journal:
        journal.confirm(1, [(900, "0123456789ab")])
        previous = journal.get("identities")
        victim = max(previous.values())
        journal.put("identities", {key: value for key, value in previous.items() if value != victim})
    bench.sync()
    identities = {identity for _, identity in bench.ours()}
    assert victim not in identities
    assert max(identities) > 900


def test_without_the_journal_the_identities_in_cvat_go_on(bench: Bench) -> None:
    """Fresh numbers would give the identity of an edited object to another one, which would then be held back."""
    bench.sync(budget=0.0)
    with open_journal(bench.client, bench.state, bench.task) as journal:
        journal.put("identities", {key: value + 10 for key, value in journal.get("identities").items()})
    bench.sync()
    job = bench.reader.jobs(bench.task)[0]
    edited = bench.reader.annotations(job.id).tracks[0]
    away = [models.TrackedShapeRequest(type="rectangle", frame=edited.frame, points=[1.0, 220.0, 9.0, 239.0])]
    bench.patch(job.id, "update", tracks=[request_of(edited, shapes=away)])
    before = bench.ours()
    assert min(identity for _, identity in before) > 10
    shutil.rmtree(bench.state)
    report = bench.sync(budget=0.0)
    assert (report.changes["create"], report.changes["remove"]) == (0, 0)
    assert bench.ours() == before


def test_a_new_journal_says_that_deletions_are_not_known(bench: Bench) -> None:
    bench.sync(budget=0.0)
    shutil.rmtree(bench.state)
    (note,) = bench.sync(budget=0.0).notes
    assert "may come back" in note
    assert bench.sync(budget=0.0).notes == ()


def test_questions_are_counted_of_the_round_that_waits(bench: Bench) -> None:
    bench.sync()
    for job in bench.reader.jobs(bench.review_tasks()[0]):
        bench.complete(job)
    report = bench.sync()
    (_, second) = bench.review_tasks()
    assert report.questions == bench.reader.task(second).size


def test_a_dry_run_keeps_settings_only_with_the_candidates_it_made(bench: Bench) -> None:
    bench.sync(dry_run=True)
    with open_journal(bench.client, bench.state, bench.task) as journal:
        kept = journal.get("settings")
    assert kept["detector"] == "simulated"


def test_a_finished_job_is_not_touched(bench: Bench, proxy: Proxy) -> None:
    first, second = bench.reader.jobs(bench.task)
    bench.complete(first)
    report = bench.sync(budget=0.0)
    assert report.changes["finished_jobs"] == 1
    assert bench.reader.annotations(first.id).tracks == ()
    assert bench.reader.annotations(second.id).tracks
