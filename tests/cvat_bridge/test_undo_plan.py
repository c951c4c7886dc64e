"""What an undo would change: everything of ours since a run, and nothing of anybody else's."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvat_bridge.ownership import TrackPart, digest_of, mark_of
from cvat_bridge.undo_plan import (
    COVERED,
    DELETED,
    EDITED,
    FINISHED,
    LABEL_GONE,
    Conflict,
    JobHistory,
    UndoPlan,
    plan_undo,
)
from cvat_bridge.wire import Annotations, Job, Label, Track
from tests.cvat_bridge.builders import PERSON, PLAIN_PERSON, as_pushed, by_hand, job, keyframe, part, straight

FIRST = part(1, [keyframe(0, 10), keyframe(20, 50)])
SECOND = part(2, [keyframe(0, 110), keyframe(20, 150)])
MOVED = part(1, [keyframe(0, 14), keyframe(20, 54)])
ALL = {p.digest: p.identity for p in (FIRST, SECOND, MOVED)}
EDITED_FIRST = as_pushed(MOVED, run="r2").model_copy(update={"source": "semi-auto"})


def undone(
    current: Sequence[Track],
    before: Sequence[Track] | None = (),
    since: int = 2,
    deleted: Sequence[int] = (),
    where: Job | None = None,
    specs: tuple[Label, ...] = (PERSON,),
) -> UndoPlan:
    where = where or job()
    history = JobHistory(Annotations(tracks=tuple(before)) if before is not None else None, ALL, frozenset(deleted))
    return plan_undo(since, (where,), {where.id: Annotations(tracks=tuple(current))}, {where.id: history}, specs)


def created(undo: UndoPlan) -> list[TrackPart]:
    return list(undo.plan.jobs[0].create)


def removed(undo: UndoPlan) -> list[str]:
    return [digest_of(track) for track in undo.plan.jobs[0].remove]


def test_what_a_run_replaced_comes_back_as_it_was_mark_included() -> None:
    undo = undone([as_pushed(MOVED, 101, "r2"), as_pushed(SECOND, 102)], [as_pushed(FIRST), as_pushed(SECOND)])
    assert [p.digest for p in created(undo)] == [FIRST.digest]
    assert created(undo)[0].mark("r9") == FIRST.mark("r1")
    assert removed(undo) == [MOVED.digest]
    assert undo.plan.jobs[0].keep == {(2, SECOND.digest)}
    assert undo.conflicts == ()


def test_all_runs_leave_nothing_of_ours() -> None:
    undo = undone([as_pushed(MOVED, 101, "r2"), as_pushed(SECOND, 102)], [], since=0)
    assert (created(undo), sorted(removed(undo))) == ([], sorted([MOVED.digest, SECOND.digest]))


def test_a_job_that_the_runs_did_not_write_to_stays() -> None:
    assert undone([as_pushed(FIRST), as_pushed(SECOND)], None).plan.is_empty


def test_without_a_snapshot_the_marks_tell_what_goes() -> None:
    undo = undone([as_pushed(MOVED, 101, "r2"), as_pushed(SECOND, 102, "r1")], None)
    assert (created(undo), removed(undo)) == ([], [MOVED.digest])


def test_an_undo_can_be_undone() -> None:
    """Run r3 put the track of r1 back in place of that of r2."""
    undo = undone([as_pushed(FIRST, run="r1")], [as_pushed(MOVED, run="r2")], since=3)
    assert [p.mark("r9") for p in created(undo)] == [MOVED.mark("r2")]
    assert removed(undo) == [FIRST.digest]


CONFLICTS = {
    "edited": ([EDITED_FIRST], (), EDITED),
    "deleted": ([], (1,), DELETED),
    "drawn again": ([by_hand(straight(0, 20))], (), COVERED),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_what_a_person_touched_since_stays_and_is_listed(name: str) -> None:
    current, deleted, reason = CONFLICTS[name]
    undo = undone(current, [as_pushed(FIRST)], deleted=deleted)
    assert undo.plan.is_empty
    assert undo.conflicts == (Conflict(1, 1, reason),)


def test_an_edited_new_track_is_listed_although_nothing_stood_there_before() -> None:
    undo = undone([EDITED_FIRST, by_hand(straight(30, 40, 200))], [])
    assert undo.plan.is_empty
    assert undo.conflicts == (Conflict(1, 1, EDITED),), "what a person drew is no conflict"


def test_a_finished_job_is_left_alone_and_listed_once() -> None:
    done = job(state="completed")
    undo = undone([as_pushed(MOVED, run="r2")], [as_pushed(FIRST)], where=done)
    assert undo.plan.is_empty
    assert undo.conflicts == (Conflict(1, None, FINISHED),)
    assert undone([as_pushed(FIRST)], [as_pushed(FIRST)], where=done).conflicts == ()


def test_a_label_that_is_gone_is_named() -> None:
    other = PERSON.model_copy(update={"id": 9, "name": "car"})
    undo = undone([], [as_pushed(FIRST)], specs=(other,))
    assert (created(undo), undo.conflicts) == ([], (Conflict(1, 1, LABEL_GONE),))


def test_where_the_label_has_no_attributes_the_journal_tells_what_is_ours() -> None:
    before = [as_pushed(FIRST, label=PLAIN_PERSON)]
    undo = undone([as_pushed(MOVED, label=PLAIN_PERSON)], before, specs=(PLAIN_PERSON,))
    assert [(p.identity, p.digest) for p in created(undo)] == [(1, FIRST.digest)]
    assert removed(undo) == [MOVED.digest]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Track], list[Track], set[int]]:
    """Ten objects at ten places: how each stood before run 2, how it stands now, and which were deleted."""
    before, current, deleted = [], [], set()
    for number in range(1, 11):
        old = part(number, [keyframe(0, 60.0 * number), keyframe(9, 60.0 * number + 5)])
        new = part(number, [keyframe(0, 60.0 * number + 1), keyframe(9, 60.0 * number + 6)])
        had = draw(st.booleans())
        if had:
            before.append(as_pushed(old, number))
        fate = draw(st.sampled_from(["replaced", "dropped", "kept", "edited", "deleted", "person's"]))
        if fate == "replaced":
            current.append(as_pushed(new, 100 + number, "r2"))
        elif fate == "kept" and had:
            current.append(as_pushed(old, number))
        elif fate == "edited":
            current.append(as_pushed(new, 100 + number, "r2").model_copy(update={"source": "semi-auto"}))
        elif fate == "deleted":
            deleted.add(number)
        elif fate == "person's":
            current.append(by_hand([(f, 60.0 * number) for f in range(10)], 200 + number))
    return before, current, deleted


@given(histories())
def test_people_keep_all_and_a_second_undo_changes_nothing(given: tuple[list[Track], list[Track], set[int]]) -> None:
    before, current, deleted = given
    undo = undone(current, before, deleted=sorted(deleted))
    gone = {track.id for track in undo.plan.jobs[0].remove}
    assert all(track.source == "auto" for track in current if track.id in gone)
    back = [as_pushed(p, 300 + p.identity, p.first_run) for p in created(undo)]
    after = [track for track in current if track.id not in gone] + back
    again = undone(after, before, deleted=sorted(deleted))
    assert again.plan.is_empty
    assert again.conflicts == undo.conflicts
    ours = [digest_of(track) for track in after if track.source == "auto"]
    assert len(set(ours)) == len(ours)
    marks = [mark.identity for track in after if (mark := mark_of(track, PERSON))]
    assert len(set(marks)) == len(marks), "no object stands twice"
    conflicted = {conflict.identity for conflict in undo.conflicts}
    wanted = {digest_of(t) for t in before if (m := mark_of(t, PERSON)) and m.identity not in conflicted}
    assert set(ours) == wanted
