"""Taking runs back on a server: what stood before stands again, whatever happens on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cvat_sdk import Client, models

from cvat_bridge.journal import Journal
from cvat_bridge.ownership import digest_of
from cvat_bridge.progress import Progress
from cvat_bridge.undo import Undo, UndoReport
from cvat_bridge.undo_plan import EDITED
from spam_model.errors import InputError, ServerError
from tests.cvat_bridge.bench import Bench, request_of
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.desk import Desk, two
from tests.cvat_bridge.proxy import DROPPED, Fault, Proxy

ANNOTATIONS = r"/api/jobs/\d+/annotations"


def undo(desk: Desk, run: str | None = None, dry_run: bool = False) -> UndoReport:
    task = desk.reader.task(desk.task)
    return Undo(desk.reader, desk.writer, desk.journal, task, Progress(quiet=True)).run(run, dry_run)


def contents(desk: Desk) -> list[tuple[str, tuple[str, ...]]]:
    """What stands, up to ids: digest and attribute values of every track."""
    return sorted((digest_of(t), tuple(sorted(v.value for v in t.attributes))) for t in desk.tracks)


def test_a_run_is_taken_back_to_the_last_attribute(desk: Desk, proxy: Proxy) -> None:
    desk.push(two())
    before = contents(desk)
    desk.push(two(14.0))
    planned = undo(desk, "r2", dry_run=True)
    assert contents(desk) != before
    done = undo(desk, "r2")
    assert contents(desk) == before
    assert (planned.phase, done.phase, planned.changes) == ("planned", "done", done.changes)
    assert (done.runs, done.conflicts) == (("r2",), ())
    assert done.changes == {"restore": 1, "remove": 1, "keep": 1, "persons": 0}
    proxy.reset()
    undo(desk, "r2")
    assert not proxy.writes, "a second undo has nothing to do"
    undo(desk, "r3")
    assert desk.left_edges == [14, 200], "the undo was a run, too"


def test_without_a_run_nothing_of_ours_is_left_and_a_later_push_goes_on(desk: Desk, proxy: Proxy) -> None:
    assert undo(desk).changes["remove"] == 0
    desk.push(two())
    desk.push(two(14.0))
    assert undo(desk).changes == {"restore": 0, "remove": 2, "keep": 0, "persons": 0}
    assert desk.tracks == ()
    proxy.reset()
    undo(desk)
    assert not proxy.writes
    desk.push(two(14.0))
    assert desk.left_edges == [14, 200]


def test_a_persons_edit_stays_and_is_listed(desk: Desk, lead: Client) -> None:
    desk.push(two())
    edited = next(track for track in desk.tracks if track.shapes[0].points[0] == 10)
    body = models.PatchedLabeledDataRequest(tracks=[request_of(edited)])
    lead.api_client.jobs_api.partial_update_annotations(
        action="update", id=desk.job.id, patched_labeled_data_request=body
    )
    report = undo(desk)
    assert [track.source for track in desk.tracks] == ["semi-auto"]
    assert report.changes["remove"] == 1
    if edited.attributes:
        assert [(c.identity, c.reason) for c in report.conflicts] == [(1, EDITED)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PATCH", ANNOTATIONS, DROPPED),
        Fault("PATCH", ANNOTATIONS, DROPPED, committed=True),
        Fault("PATCH", ANNOTATIONS, 504, committed=True),
        Fault("PATCH", ANNOTATIONS, 503, skip=1),
        Fault("PATCH", ANNOTATIONS, DROPPED, committed=True, skip=1),
    ],
    ids=str,
)
def test_a_lost_reply_changes_nothing(desk: Desk, proxy: Proxy, fault: Fault) -> None:
    desk.push(two())
    before = contents(desk)
    desk.push(two(14.0))
    proxy.faults = [Fault(**vars(fault))]
    undo(desk, "r2")
    assert contents(desk) == before
    assert {state for _, state in desk.intents()} == {"committed"}


@pytest.mark.parametrize("refused", [0, 1])
def test_interrupted_it_is_finished_by_calling_it_again(desk: Desk, proxy: Proxy, refused: int) -> None:
    desk.push(two())
    before = contents(desk)
    desk.push(two(14.0))
    proxy.faults = [Fault("PATCH", ANNOTATIONS, 403, skip=refused)]
    with pytest.raises(ServerError):
        undo(desk, "r2")
    undo(desk, "r2")
    assert contents(desk) == before


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


ENTRIES = ("confirm", "put", "snapshot", "intend", "add_written", "close_intent", "unconfirm")


@pytest.mark.parametrize("desk", [True], indirect=True, ids=["marked"])
@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("done_before", [True, False])
def test_killed_at_any_entry_in_the_journal_the_next_undo_ends_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, entry: str, done_before: bool
) -> None:
    desk.push(two())
    before = contents(desk)
    desk.push(two(14.0))
    real = getattr(Journal, entry)

    def killed(self: Journal, *args: Any, **kwargs: Any) -> None:
        if done_before:
            real(self, *args, **kwargs)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Journal, entry, killed)
        with pytest.raises(Killed):
            undo(desk, "r2")
    undo(desk, "r2")
    assert contents(desk) == before
    desk.push(two(14.0))
    assert desk.left_edges == [14, 200], "nothing was taken for deleted by a person"


def test_an_unknown_run_is_named_with_those_there_are(desk: Desk) -> None:
    with pytest.raises(InputError, match="has no run r7; it has: none"):
        undo(desk, "r7")
    desk.push(two())
    with pytest.raises(InputError, match="has no run r7; it has: r1"):
        undo(desk, "r7")


def test_without_the_journal_the_marks_tell_what_is_ours(desk: Desk, tmp_path: Path) -> None:
    desk.push(two())
    marked = bool(desk.tracks[0].attributes)
    with Journal(tmp_path / "new") as journal:
        desk.journal = desk.writer._journal = journal
        report = undo(desk)
    assert len(desk.tracks) == (0 if marked else 2)
    assert any("does not know r1" in note for note in report.notes) == marked


@pytest.fixture
def asked(lead: Client, proxy: Proxy, make_task: MakeTask, sequence: Path, tmp_path: Path) -> Bench:
    """A task that was pushed to, and whose first questions wait."""
    bench = Bench(lead, sequence, tmp_path / "state", make_task())
    bench.sync()
    proxy.reset()
    return bench


def test_a_review_task_that_nobody_opened_goes_and_its_questions_are_asked_again(asked: Bench, proxy: Proxy) -> None:
    questions = [query.id for query in asked.session().asked]
    (review,) = asked.review_tasks()
    report = asked.undo()
    assert (report.review_tasks, report.kept_review_tasks) == ((review,), ())
    assert (asked.review_tasks(), asked.tracks()) == ([], [])
    session = asked.session()
    assert (session.asked, session.round, session.ledger.entries) == ((), 0, ())
    proxy.reset()
    assert asked.undo().review_tasks == ()
    assert not proxy.writes
    assert asked.sync().questions == len(questions)
    assert [query.id for query in asked.session().asked] == questions
    assert len(asked.review_tasks()) == 1


@pytest.mark.parametrize("work", ["opened", "answered"])
def test_a_review_task_in_which_somebody_works_stays(asked: Bench, lead: Client, work: str) -> None:
    (review,) = asked.review_tasks()
    job = asked.reader.jobs(review)[0]
    if work == "opened":
        body = models.PatchedJobWriteRequest(state="in progress")
        lead.api_client.jobs_api.partial_update(job.id, patched_job_write_request=body)
    else:
        tag = asked.reader.annotations(job.id).tags[0]
        said = [models.AttributeValRequest(spec_id=tag.attributes[0].spec_id, value="unsure")]
        changed = models.LabeledImageRequest(
            id=tag.id, frame=tag.frame, label_id=tag.label_id, source="auto", attributes=said
        )
        asked.patch(job.id, "update", tags=[changed])
    report = asked.undo()
    assert (report.review_tasks, report.kept_review_tasks) == ((), (review,))
    assert asked.review_tasks() == [review]
    assert asked.session().asked


@pytest.mark.parametrize("committed", [True, False])
def test_killed_while_the_review_task_goes_the_next_undo_ends_it(asked: Bench, proxy: Proxy, committed: bool) -> None:
    """The SDK itself repeats a deletion that has no answer; a 403 stands for the end of the process."""
    proxy.faults = [Fault("DELETE", r"/api/tasks/\d+", 403, committed=committed)]
    with pytest.raises(ServerError):
        asked.undo()
    asked.undo()
    assert (asked.review_tasks(), asked.tracks()) == ([], [])


def test_killed_before_the_review_task_goes_a_sync_takes_it_up_again(asked: Bench, proxy: Proxy) -> None:
    (review,) = asked.review_tasks()
    proxy.faults = [Fault("DELETE", r"/api/tasks/\d+", 403)]
    with pytest.raises(ServerError):
        asked.undo()
    asked.sync()
    assert asked.review_tasks() == [review]
    assert asked.undo().review_tasks == (review,)
