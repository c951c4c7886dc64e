"""Plans: what a push would change, and everything that it must not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvat_bridge.ownership import Keyframe, keyframes_of
from cvat_bridge.plan import JobPlan, interpolate, job_parts, plan_push
from cvat_bridge.wire import Annotations, Job, Label, Track
from spam_model.errors import InputError
from spam_model.values import Labels
from tests.cvat_bridge.builders import (
    PERSON,
    PLAIN_PERSON,
    as_pushed,
    by_hand,
    job,
    keyframe,
    labels,
    part,
    standing,
    straight,
)

TWO_JOBS = (job(1, 0, 29), job(2, 30, 59))


def plan(
    wanted: Labels,
    current: dict[int, Annotations],
    jobs: tuple[Job, ...] = (job(),),
    identity_of: dict[int, int] | None = None,
    withheld: dict[int, frozenset[int]] | None = None,
    written: frozenset[str] = frozenset(),
    label: Label = PERSON,
) -> tuple[JobPlan, ...]:
    identity_of = identity_of or {int(track): int(track) for track in wanted.track_ids}
    current = {each.id: Annotations() for each in jobs} | current
    return plan_push(wanted, identity_of, jobs, current, (label,), written, withheld or {}).jobs


def after(jobs: Sequence[JobPlan], current: dict[int, Annotations], label: Label = PERSON) -> dict[int, Annotations]:
    """What stands when a plan has been applied."""
    result = {}
    for done in jobs:
        gone = {track.id for track in done.remove}
        left = [track for track in current.get(done.job_id, Annotations()).tracks if track.id not in gone]
        new = [as_pushed(each, 1000 * done.job_id + i, label=label) for i, each in enumerate(done.create)]
        result[done.job_id] = Annotations(tracks=(*left, *new))
    return result


def boxes(keyframes: Sequence[Keyframe], last_frame: int | None = None) -> dict[int, list[float]]:
    """By brute force, frame by frame, in the way of CVAT's page."""
    last = max([keyframes[-1].frame, *([] if last_frame is None else [last_frame])])
    shown = {}
    for frame in range(keyframes[0].frame, last + 1):
        left = [k for k in keyframes if k.frame <= frame][-1]
        right = next((k for k in keyframes if k.frame > frame), left)
        if not left.outside:
            share = (frame - left.frame) / max(right.frame - left.frame, 1)
            shown[frame] = [a + share * (b - a) for a, b in zip(left.box, right.box, strict=True)]
    return shown


@settings(deadline=None)
@given(
    frames=st.lists(st.integers(0, 30), min_size=1, max_size=6, unique=True).map(sorted),
    places=st.lists(st.integers(0, 200), min_size=6, max_size=6),
    hidden=st.lists(st.booleans(), min_size=6, max_size=6),
    last_frame=st.none() | st.integers(0, 40),
)
def test_interpolation_shows_what_cvat_shows(
    frames: list[int], places: list[int], hidden: list[bool], last_frame: int | None
) -> None:
    keyframes = tuple(keyframe(f, x, o) for f, x, o in zip(frames, places, hidden, strict=False))
    if last_frame is None and not keyframes[-1].outside:
        last_frame = keyframes[-1].frame
    found_frames, found = interpolate(keyframes, last_frame)
    expected = boxes(keyframes, last_frame)
    assert found_frames.tolist() == list(expected)
    assert np.allclose(found, np.array(list(expected.values())).reshape(-1, 4))


@settings(max_examples=60, deadline=None)
@given(
    tracks=st.dictionaries(
        st.integers(1, 9),
        st.dictionaries(st.integers(0, 59), st.integers(0, 250), min_size=1, max_size=40),
        min_size=1,
        max_size=4,
    )
)
def test_the_parts_of_all_jobs_show_exactly_the_labels(tracks: dict[int, dict[int, int]]) -> None:
    """With gaps, at borders, at the end of the last job: no box more, no box less, none off by a pixel."""
    wanted = labels({number: [(f, float(x)) for f, x in sorted(rows.items())] for number, rows in tracks.items()})
    shown: dict[tuple[int, int], float] = {}
    for each in TWO_JOBS:
        for one in job_parts(wanted, {number: number for number in tracks}, each, {0: PERSON.id}):
            assert all(each.start_frame <= k.frame <= each.stop_frame for k in one.keyframes)
            frames, found = interpolate(one.keyframes, each.stop_frame)
            assert not shown.keys() & {(one.identity, f) for f in frames.tolist()}
            shown |= {(one.identity, f): x for f, x in zip(frames.tolist(), found[:, 0].tolist(), strict=True)}
    expected = {(number, f): x for number, rows in tracks.items() for f, x in rows.items()}
    assert shown.keys() == expected.keys()
    assert all(abs(shown[key] - expected[key]) <= 0.61 for key in expected)


@settings(max_examples=40, deadline=None)
@given(
    tracks=st.dictionaries(
        st.integers(1, 9),
        st.dictionaries(st.integers(0, 59), st.floats(-5, 250), min_size=1, max_size=30),
        min_size=1,
        max_size=4,
    )
)
def test_a_second_push_of_the_same_labels_changes_nothing(tracks: dict[int, dict[int, float]]) -> None:
    wanted = labels({number: sorted(rows.items()) for number, rows in tracks.items()})
    first = plan(wanted, {}, TWO_JOBS)
    second = plan(wanted, after(first, {}), TWO_JOBS)
    assert all(each.is_empty for each in second)
    assert sum(len(each.keep) for each in second) == sum(len(each.create) for each in first)


def test_a_second_push_changes_nothing_where_the_label_has_no_attributes() -> None:
    wanted = labels({1: straight(0, 40), 2: straight(5, 50, 200)})
    first = plan(wanted, {}, TWO_JOBS, label=PLAIN_PERSON)
    written = frozenset(each.digest for done in first for each in done.create)
    second = plan(wanted, after(first, {}, PLAIN_PERSON), TWO_JOBS, written=written, label=PLAIN_PERSON)
    assert all(each.is_empty for each in second)


def test_a_track_is_cut_at_the_border_and_keeps_its_identity() -> None:
    first, second = plan(labels({4: straight(20, 45)}), {}, TWO_JOBS)
    assert [each.identity for each in (*first.create, *second.create)] == [4, 4]
    assert [k.frame for k in first.create[0].keyframes] == [20, 29]
    assert [(k.frame, k.outside) for k in second.create[0].keyframes] == [(30, False), (45, False), (46, True)]


def test_nothing_is_hidden_beyond_the_end_of_a_job() -> None:
    (only,) = plan(labels({1: straight(50, 59)}), {})
    assert [(k.frame, k.outside) for k in only.create[0].keyframes] == [(50, False), (59, False)]


def test_a_gap_is_hidden_from_its_first_frame_to_the_next_box() -> None:
    (only,) = plan(labels({1: straight(0, 4) + straight(20, 24)}), {})
    hidden = [(k.frame, k.outside) for k in only.create[0].keyframes]
    assert hidden == [(0, False), (4, False), (5, True), (20, False), (24, False), (25, True)]


WANTED = labels({1: straight(0, 40)})
OURS = as_pushed(plan(WANTED, {})[0].create[0], 100)
COVERING = {
    "drew it exactly": (WANTED, by_hand(straight(0, 40))),
    "drew it a little off": (WANTED, by_hand(straight(0, 40, x1=18))),
    "drew half of it and a little more": (WANTED, by_hand(straight(0, 21))),
    "drew one box that stands to the end": (labels({1: straight(10, 30, 50, 0)}), by_hand([(10, 50.0)], ends=False)),
}
ELSEWHERE = {
    "drew another object": by_hand(straight(0, 40, x1=200)),
    "drew a quarter of it": by_hand(straight(0, 10)),
    "drew an object of another label there": by_hand(straight(0, 40), label_id=2),
    "drew the same place at another time": by_hand(straight(45, 59, x1=10)),
}


@pytest.mark.parametrize(("wanted", "track"), COVERING.values(), ids=list(COVERING))
def test_ours_is_left_out_where_a_person(wanted: Labels, track: Track) -> None:
    (only,) = plan(wanted, standing(track))
    assert (only.create, only.covered, only.persons) == ((), 1, 1)


@pytest.mark.parametrize("track", ELSEWHERE.values(), ids=list(ELSEWHERE))
def test_ours_is_pushed_beside_a_track_where_a_person(track: Track) -> None:
    (only,) = plan(WANTED, standing(track))
    assert (len(only.create), only.remove, only.covered, only.persons) == (1, (), 0, 1)


def test_a_persons_edit_of_ours_is_neither_removed_nor_doubled_wherever_the_labels_go() -> None:
    moved = tuple(s.model_copy(update={"points": tuple(v + 5 for v in s.points)}) for s in OURS.shapes)
    edited = OURS.model_copy(update={"source": "semi-auto", "shapes": moved})
    for wanted in (WANTED, labels({1: straight(0, 40, x1=250, step=0)})):
        (only,) = plan(wanted, standing(edited))
        assert (only.create, only.remove, only.persons) == ((), (), 1)


def test_what_a_person_deleted_is_not_made_again() -> None:
    (only,) = plan(WANTED, {}, withheld={1: frozenset({1})})
    assert (only.create, only.remove, only.covered) == ((), (), 1)


def test_what_a_person_deleted_and_put_back_is_left_to_them() -> None:
    (only,) = plan(WANTED, standing(OURS), withheld={1: frozenset({1})})
    assert (only.create, only.remove, only.persons) == ((), (), 1)


def test_a_deletion_in_one_job_leaves_the_other_jobs_alone() -> None:
    first, second = plan(WANTED, {}, TWO_JOBS, withheld={1: frozenset({1})})
    assert (len(first.create), len(second.create)) == (0, 1)


def test_of_two_equal_tracks_of_ours_one_is_removed() -> None:
    twin = OURS.model_copy(update={"id": 101})
    (only,) = plan(WANTED, standing(OURS, twin))
    assert only.create == ()
    assert len(only.remove) == 1
    assert len(only.keep) == 1


def test_a_changed_track_is_replaced_and_the_others_stay() -> None:
    wanted = labels({1: straight(0, 40), 2: straight(0, 40, 200, 0)})
    current = after(plan(wanted, {}), {})
    (only,) = plan(labels({1: straight(0, 40, 12), 2: straight(0, 40, 200, 0)}), current)
    assert [each.identity for each in only.create] == [1]
    assert [track.id for track in only.remove] == [1000]
    assert {identity for identity, _ in only.keep} == {2}


def test_a_track_that_the_labels_no_longer_hold_is_removed() -> None:
    (only,) = plan(labels({}), standing(OURS))
    assert (only.create, [track.id for track in only.remove]) == ((), [100])


def test_the_same_boxes_under_a_new_identity_are_replaced() -> None:
    (only,) = plan(WANTED, standing(OURS), identity_of={1: 8})
    assert [each.identity for each in only.create] == [8]
    assert [track.id for track in only.remove] == [100]


@pytest.mark.parametrize(("state", "stage"), [("completed", "annotation"), ("new", "acceptance")])
def test_a_job_that_people_have_finished_is_left_as_it_is(state: str, stage: str) -> None:
    finished = job(1, 0, 29, state, stage)
    first, second = plan(labels({1: straight(0, 40, 30)}), standing(OURS), (finished, job(2, 30, 59)))
    assert first.is_empty
    assert first.finished
    assert len(second.create) == 1


def test_other_tracks_and_empty_ones_are_no_obstacle() -> None:
    empty = Track(id=7, label_id=99, frame=0, shapes=())
    polygon = by_hand(straight(0, 40)).model_copy(update={"shapes": ()})
    (only,) = plan(WANTED, standing(empty, polygon))
    assert (len(only.create), only.remove, only.persons) == (1, (), 2)
    assert keyframes_of(empty) == ()


def test_a_class_without_a_label_is_named() -> None:
    with pytest.raises(InputError, match="no label 'person'"):
        plan(WANTED, {}, label=PERSON.model_copy(update={"name": "car"}))


def test_many_tracks_of_people_are_compared_in_reasonable_time() -> None:
    """200 × 200 tracks of 60 frames: all pairs one by one took minutes."""
    tracks = {i: straight(0, 59, x1=i * 30.0, step=0.5) for i in range(1, 201)}
    people = [by_hand(rows[::7], key=number) for number, rows in tracks.items() if number % 2]
    (only,) = plan(labels(tracks), standing(*people))
    assert (only.covered, len(only.create)) == (100, 100)


def test_part_digests_are_those_of_the_tracks_they_become() -> None:
    mine = part(3)
    assert as_pushed(mine).attributes[0].value == mine.mark("r1")
