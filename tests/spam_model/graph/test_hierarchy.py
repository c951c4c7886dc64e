from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.graph import hierarchy as module
from spam_model.graph.constraints import resolve
from spam_model.graph.hierarchy import level_clips, merge, one_box_per_frame, run_hierarchy
from spam_model.graph.scene import Scene
from spam_model.graph.settle import settle
from spam_model.values import Candidates, Constraints, Hierarchy
from tests.spam_model.graph.worlds import (
    accept,
    any_constraints,
    cannot_link,
    consistent_constraints,
    must_link,
    random_candidates,
    random_model,
    reject,
)

SMALL = random_candidates(0, people=4, frames=40, clutter=25, classes=2, size=4)
DENSE = random_candidates(1, people=5, frames=12, clutter=5)


def run(candidates: Candidates, constraints: Constraints = Constraints(), seed: int = 0) -> Hierarchy:  # noqa: B008
    model = random_model(seed)
    base = run_hierarchy(model, candidates)
    resolved = resolve(candidates, constraints)
    return settle(model, Scene.of(replace(candidates, box=resolved.box)), base, resolved)


def assert_tracks_are_sound(candidates: Candidates, result: Hierarchy) -> None:
    tracked = result.track_of >= 0
    cell = result.track_of[tracked] * 10_000 + candidates.frame[tracked]
    assert len(np.unique(cell)) == tracked.sum(), "one box per track and frame"
    assert not (tracked & ~result.kept).any()
    for track in np.unique(result.track_of[tracked]):
        assert len(set(candidates.class_id[result.track_of == track])) == 1
    for level in result.levels:
        past, future = level.edge[:, level.chosen]
        assert len(set(past)) == len(past)
        assert len(set(future)) == len(future)
        assert ((level.probability >= 0) & (level.probability <= 1)).all()


def assert_constraints_hold(candidates: Candidates, constraints: Constraints, result: Hierarchy) -> None:
    resolved = resolve(candidates, constraints)
    track = result.track_of
    assert (track[resolved.fixed] >= 0).all(), "what people accept is in a track"
    assert (track[resolved.rejected] == -1).all(), "what people reject is in none"
    assert (track[resolved.must[:, 0]] == track[resolved.must[:, 1]]).all()
    apart = (track[resolved.cannot[:, 0]] != track[resolved.cannot[:, 1]]) | (track[resolved.cannot[:, 0]] < 0)
    assert apart.all()


@settings(deadline=None, max_examples=25)
@given(st.data(), st.sampled_from([SMALL, DENSE]), st.integers(0, 1000))
def test_what_a_person_says_holds_at_every_level_for_any_weights(
    data: st.DataObject, candidates: Candidates, seed: int
) -> None:
    constraints = data.draw(consistent_constraints(candidates))
    assert resolve(candidates, constraints).conflicts == ()
    result = run(candidates, constraints, seed)
    assert_tracks_are_sound(candidates, result)
    assert_constraints_hold(candidates, constraints, result)


@settings(deadline=None, max_examples=12)
@given(any_constraints(SMALL), st.integers(0, 1000))
def test_answers_that_contradict_each_other_leave_sound_tracks(constraints: Constraints, seed: int) -> None:
    result = run(SMALL, constraints, seed)
    assert_tracks_are_sound(SMALL, result)
    assert_constraints_hold(SMALL, constraints, result)


@settings(deadline=None, max_examples=10)
@given(any_constraints(SMALL), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_changes_no_track(constraints: Constraints, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(constraints.items)
    random.shuffle(shuffled)
    assert np.array_equal(run(SMALL, constraints).track_of, run(SMALL, Constraints(tuple(shuffled))).track_of)


@pytest.mark.parametrize("window", [8, 16])
@settings(deadline=None, max_examples=10)
@given(constraints=consistent_constraints(SMALL), seed=st.integers(0, 1000))
def test_constraints_hold_across_windows(window: int, constraints: Constraints, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WINDOW", window)
        result = run(SMALL, constraints, seed)
    assert_tracks_are_sound(SMALL, result)
    assert_constraints_hold(SMALL, constraints, result)


def test_windows_change_nothing_where_no_gap_is_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(SMALL)
    monkeypatch.setattr(module, "WINDOW", 16)
    windowed = run(SMALL)
    for one, other in zip(whole.levels[:4], windowed.levels[:4], strict=True):
        assert np.array_equal(one.edge, other.edge)
        assert np.allclose(one.probability, other.probability, atol=1e-6)


def test_the_same_input_gives_the_same_result() -> None:
    first, second = run(SMALL), run(SMALL)
    assert np.array_equal(first.track_of, second.track_of)
    assert np.array_equal(first.levels[0].probability, second.levels[0].probability)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 2, 700])
def test_a_clip_of_next_to_nothing_is_labelled(count: int, frames: int) -> None:
    candidates = random_candidates(0, people=3, frames=1, clutter=0).take(np.arange(count))
    candidates = replace(candidates, info=replace(candidates.info, frame_count=frames))
    result = run(candidates, Constraints((accept(candidates, 0),)) if count else Constraints())
    assert len(result.track_of) == count
    assert len(result.levels) == len(level_clips(frames))
    if count:
        assert result.track_of[0] == 0


def test_a_must_link_joins_the_ends_of_a_long_video() -> None:
    candidates = random_candidates(0, people=2, frames=1300, clutter=0)
    ends = (0, len(candidates) - 1)
    result = run(candidates, Constraints((must_link(candidates, *ends),)))
    assert result.track_of[ends[0]] == result.track_of[ends[1]] >= 0


def test_a_cannot_link_has_probability_zero() -> None:
    level = run(SMALL).levels[0]
    rows = [int(np.flatnonzero(level.node_of == node)[0]) for node in level.edge[:, 0]]
    clamped = run(SMALL, Constraints((cannot_link(SMALL, *rows),))).levels[0]
    index = np.flatnonzero((clamped.edge == clamped.node_of[[[rows[0]], [rows[1]]]]).all(axis=0))
    assert clamped.probability[index].tolist() == [0.0]


def test_accept_and_reject_are_certain_at_the_node_level() -> None:
    result = run(SMALL, Constraints((accept(SMALL, 3), reject(SMALL, 4))))
    assert result.node_probability[[3, 4]].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("frames", "clips"),
    [(1, []), (2, [2]), (3, [2, 4]), (512, [2, 4, 8, 16, 32, 64, 128, 256, 512]), (9, [2, 4, 8, 16])],
)
def test_levels_double_until_a_clip_is_the_video(frames: int, clips: list[int]) -> None:
    assert level_clips(frames) == clips


def test_chains_of_links_become_one_node() -> None:
    assert merge(np.array([0, 1, 2, 3, -1]), np.array([[0, 1], [1, 3]])).tolist() == [0, 0, 2, 0, -1]


def test_of_two_boxes_in_a_frame_the_accepted_one_stays_else_the_surer() -> None:
    scene = replace(
        Scene.of(SMALL.take(np.arange(4))), frame=np.array([0, 0, 1, 1]), score=np.array([0.9, 0.2, 0.3, 0.4])
    )
    fixed = np.array([False, True, False, False])
    assert one_box_per_frame(scene, np.zeros(4, np.int64), fixed).tolist() == [-1, 0, -1, 0]
