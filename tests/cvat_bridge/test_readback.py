"""What stands in CVAT, read as labels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cvat_bridge.plan import job_parts
from cvat_bridge.readback import labels_in_cvat
from cvat_bridge.wire import Annotations
from tests.cvat_bridge.builders import INFO, PERSON, as_pushed, by_hand, job, labels, standing, straight

JOBS = (job(1, 0, 29), job(2, 30, 59))


@settings(max_examples=40, deadline=None)
@given(
    tracks=st.dictionaries(
        st.integers(1, 9),
        st.dictionaries(st.integers(0, 59), st.integers(0, 250), min_size=1, max_size=30),
        min_size=1,
        max_size=4,
    )
)
def test_what_was_pushed_reads_back_as_the_same_labels(tracks: dict[int, dict[int, int]]) -> None:
    numbers = {track: place for place, track in enumerate(sorted(tracks), start=1)}
    wanted = labels({numbers[t]: [(f, float(x)) for f, x in sorted(rows.items())] for t, rows in tracks.items()})
    same = {number: number for number in numbers.values()}
    current = {
        each.id: Annotations(tracks=tuple(map(as_pushed, job_parts(wanted, same, each, {0: PERSON.id}))))
        for each in JOBS
    }
    found = labels_in_cvat(INFO, JOBS, current, (PERSON,))
    assert found.track.tolist() == wanted.track.tolist()
    assert found.frame.tolist() == wanted.frame.tolist()
    assert np.abs(found.box - wanted.box).max() <= 0.61


def test_a_persons_last_box_stands_until_the_job_ends() -> None:
    found = labels_in_cvat(INFO, (job(),), standing(by_hand([(50, 10.0)], ends=False)), (PERSON,))
    assert found.frame.tolist() == list(range(50, 60))


def test_two_halves_that_a_person_split_are_two_objects() -> None:
    (part,) = job_parts(labels({1: straight(0, 20)}), {1: 4}, job(), {0: PERSON.id})
    twice = standing(as_pushed(part, 1), as_pushed(part, 2))
    assert len(labels_in_cvat(INFO, (job(),), twice, (PERSON,)).track_ids) == 2


def test_labels_that_the_model_does_not_know_are_left_out() -> None:
    found = labels_in_cvat(INFO, (job(),), standing(by_hand(straight(0, 9), label_id=77)), (PERSON,))
    assert len(found) == 0
