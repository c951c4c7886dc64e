from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.training.variations import Pace, backwards, behind_pillar, other_paces, window, with_gaps
from spam_model.values import Candidates
from tests.spam_model.graph.worlds import random_candidates

WORLD = random_candidates(3, people=4, frames=50)


def boxes_by_id(candidates: Candidates) -> dict[int, tuple[float, ...]]:
    return {int(id): tuple(box) for id, box in zip(candidates.id, candidates.box.tolist(), strict=True)}


def test_a_window_begins_at_frame_0() -> None:
    part = window(WORLD, 10, 20)
    assert part.info.frame_count == 20
    inside = (WORLD.frame >= 10) & (WORLD.frame < 30)
    assert np.array_equal(part.id, WORLD.id[inside])
    assert np.array_equal(part.frame, WORLD.frame[inside] - 10)


def test_a_slower_camera_sees_every_third_frame() -> None:
    quick = replace(WORLD, info=replace(WORLD.info, frame_rate=30.0))
    for offset, frames in ((0, 17), (1, 17), (2, 16)):
        slow = Pace(3, offset, backwards=False).of(quick)
        assert (slow.info.frame_rate, slow.info.frame_count) == (10.0, frames)
        seen = WORLD.frame % 3 == offset
        assert np.array_equal(slow.id, WORLD.id[seen])
        assert np.array_equal(slow.frame, (WORLD.frame[seen] - offset) // 3)


@pytest.mark.parametrize(
    ("rate", "strides", "why"),
    [
        (5.0, {1}, "a slow camera gets no slower"),
        (9.9, {1}, "nor one that would fall below 5"),
        (14.0, {1, 2}, "7 frames/s stay"),
        (30.0, {1, 2, 3}, "10 frames/s stay"),
    ],
)
def test_every_pace_is_another_one_and_fast_enough(rate: float, strides: set[int], why: str) -> None:
    paces = list(other_paces(replace(WORLD.info, frame_rate=rate)))
    assert {pace.stride for pace in paces} == strides, why
    assert len(set(paces)) == len(paces)
    assert Pace(1, 0, backwards=False) not in paces


def test_a_clip_of_one_frame_has_no_frame_to_leave_out() -> None:
    for pace in other_paces(replace(WORLD.info, frame_rate=30.0, frame_count=1)):
        assert pace.of(window(WORLD, 0, 1)).info.frame_count == 1


def test_backwards_twice_is_forwards() -> None:
    there = backwards(WORLD)
    assert np.array_equal(np.sort(there.frame), there.frame)
    assert there.frame[there.id == WORLD.id[0]] == WORLD.info.frame_count - 1 - WORLD.frame[0]
    again = backwards(there)
    assert boxes_by_id(again) == boxes_by_id(WORLD)
    assert dict(zip(again.id, again.frame, strict=True)) == dict(zip(WORLD.id, WORLD.frame, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 3))
def test_a_variation_shows_some_of_the_candidates_as_they_are(seed: int, people: int) -> None:
    world = random_candidates(1, people=people, frames=20, clutter=0)
    known = boxes_by_id(world)
    for shown in (with_gaps(world, np.random.default_rng(seed)), *(pace.of(world) for pace in other_paces(world.info))):
        assert all(known[id] == box for id, box in boxes_by_id(shown).items())


def test_a_pillar_hides_a_stripe() -> None:
    rows = np.arange(1000)
    box = np.stack([rows, 0 * rows, rows + 20, 0 * rows + 50], axis=1)
    world = Candidates.build(replace(WORLD.info, width=1000, frame_count=1000), rows, box, np.full(1000, 0.9))
    for seed in range(5):
        hidden = np.flatnonzero(behind_pillar(world, np.random.default_rng(seed)))
        assert 5 <= len(hidden) <= 41
        assert np.array_equal(hidden, np.arange(hidden[0], hidden[-1] + 1)), "one stripe"


def test_gaps_are_of_all_sizes() -> None:
    shares = [len(with_gaps(WORLD, np.random.default_rng(seed))) / len(WORLD) for seed in range(40)]
    assert max(shares) > 0.9
    assert min(shares) < 0.7
