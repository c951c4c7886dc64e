"""Odd and broken input: the right result, or an error that names the place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spam_model.errors import FormatError
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.labeler import Labeler
from spam_model.simulation import SimulationConfig, simulate
from spam_model.storage import write_candidates
from spam_model.values import Candidates, ClipInfo, Constraint, ConstraintKind, Constraints, LabelResult
from tests.spam_model.graph.worlds import accept, anchor, must_link, random_candidates

LABELER = Labeler.load(device="cpu")
WALKERS = random_candidates(0, people=4, frames=30, clutter=10, size=4)
LONE = np.array([0])


def assert_sound(candidates: Candidates, result: LabelResult) -> None:
    """Every candidate in one track at most, one box per track and frame, boxes that are numbers."""
    labels, track = result.labels, result.hierarchy.track_of
    assert len(track) == len(candidates)
    tracked = track >= 0
    cells = track[tracked] * candidates.info.frame_count + candidates.frame[tracked]
    assert len(np.unique(cells)) == tracked.sum()
    real = labels.candidate_id[labels.candidate_id >= 0]
    assert len(np.unique(real)) == len(real)
    assert np.isin(real, candidates.id).all()
    assert np.isfinite(labels.box).all()
    assert ((result.hierarchy.node_probability >= 0) & (result.hierarchy.node_probability <= 1)).all()


@st.composite
def any_candidates(draw: st.DrawFn) -> Candidates:
    """Boxes of any size anywhere, in any frames, some of them twice or thrice."""
    frames = draw(st.sampled_from([1, 2, 3, 30, 700]))
    count = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corner = rng.uniform(-200, 1000, (count, 2))
    box = np.concatenate([corner, corner + 10 ** rng.uniform(-2, 3, (count, 2))], axis=1)
    if count:
        copies = rng.integers(0, count, draw(st.integers(0, 15)))
        box = np.concatenate([box, box[copies]])
        frame = rng.choice(rng.integers(0, frames, max(1, frames // 2)), count)
        frame = np.concatenate([frame, frame[copies]])
    else:
        frame = np.zeros(0, np.int64)
    classes = draw(st.integers(1, 3))
    info = ClipInfo("any", frames, draw(st.sampled_from([1.0, 25.0, 240.0])), 640, 480, ("a", "b", "c")[:classes])
    return Candidates.build(
        info, frame, box, rng.choice([0.0, 0.3, 0.8, 1.0], len(frame)), class_id=rng.integers(0, classes, len(frame))
    )


@settings(deadline=None, max_examples=60)
@given(any_candidates())
def test_whatever_the_candidates_the_tracks_are_sound(candidates: Candidates) -> None:
    assert_sound(candidates, LABELER.label(candidates))


@settings(deadline=None, max_examples=15)
@given(any_candidates())
def test_the_same_boxes_have_the_same_labels_in_every_run(candidates: Candidates) -> None:
    one, other = LABELER.label(candidates), LABELER.label(candidates)
    assert np.array_equal(one.hierarchy.track_of, other.hierarchy.track_of)
    assert np.array_equal(one.labels.box, other.labels.box)


def test_no_candidate_has_no_label() -> None:
    nothing = WALKERS.take(np.zeros(0, np.int64))
    result = LABELER.label(nothing)
    assert_sound(nothing, result)
    assert len(result.labels) == 0


def test_one_candidate_is_a_track_where_people_say_so() -> None:
    one = WALKERS.take(LONE)
    assert_sound(one, LABELER.label(one))
    answered = LABELER.label(one, Constraints((accept(one, 0),)))
    assert answered.hierarchy.track_of.tolist() == [0]
    assert answered.labels.candidate_id.tolist() == one.id.tolist()


def test_frames_without_candidates_break_no_track() -> None:
    """As many tracks as go on over these five frames where they have candidates; one in five may be lost."""
    whole = simulate(SimulationConfig(frame_count=60, people=6), seed=2).candidates
    gaps = whole.take((whole.frame < 28) | (whole.frame > 32))
    going_on = []
    for candidates in (whole, gaps):
        result = LABELER.label(candidates)
        assert_sound(candidates, result)
        track, frame = result.hierarchy.track_of, candidates.frame
        before, after = (set(track[where & (track >= 0)]) for where in (frame < 28, frame > 32))
        going_on.append(len(before & after))
    assert going_on[0] >= 5
    assert going_on[1] >= 0.8 * going_on[0]


def test_the_same_box_twice_is_one_object() -> None:
    again = np.arange(len(WALKERS))
    twice = Candidates.build(
        WALKERS.info,
        np.concatenate([WALKERS.frame, WALKERS.frame]),
        np.concatenate([WALKERS.box, WALKERS.box]),
        np.concatenate([WALKERS.score, WALKERS.score]),
        embedding=np.concatenate([WALKERS.embedding, WALKERS.embedding]),
        id=np.concatenate([again, 1000 + again]),
    )
    result = LABELER.label(twice)
    assert_sound(twice, result)


@pytest.mark.parametrize("gap", [300, 511, 2000])
def test_a_gap_of_hundreds_of_frames_is_bridged_by_people_at_any_length(gap: int) -> None:
    frame = np.concatenate([np.arange(20), gap + np.arange(20)])
    box = np.tile([100.0, 100, 140, 200], (40, 1)) + frame[:, None] * np.array([0.1, 0, 0.1, 0])
    info = ClipInfo("gap", gap + 20, 25.0, 640, 480)
    candidates = Candidates.build(info, frame, box, np.full(40, 0.9))
    result = LABELER.label(candidates)
    assert_sound(candidates, result)
    assert len(set(result.hierarchy.track_of[:20])) == 1
    answered = LABELER.label(candidates, Constraints((must_link(candidates, 19, 20),)))
    assert_sound(candidates, answered)
    assert set(answered.hierarchy.track_of) == {0}


def test_a_hundred_thousand_frames_with_few_candidates_are_labelled() -> None:
    frames = 100_000
    start = np.arange(0, frames, 10_000)
    frame = (start[:, None] + np.arange(15)).ravel()
    box = np.tile([100.0, 100, 140, 200], (len(frame), 1)) + (frame % 10_000)[:, None] * np.array([2.0, 0, 2.0, 0])
    candidates = Candidates.build(ClipInfo("long", frames, 25.0, 640, 480), frame, box, np.full(len(frame), 0.9))
    result = LABELER.label(candidates)
    assert_sound(candidates, result)
    assert np.array_equal(result.hierarchy.track_of, np.repeat(np.arange(len(start)), 15))


def broken(row: int, **values: float) -> Candidates:
    box = WALKERS.box.copy()
    for corner, value in values.items():
        box[row, ("x1", "y1", "x2", "y2").index(corner)] = value
    return replace(WALKERS, box=box)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, len(WALKERS) - 1), st.sampled_from(["x1", "y1", "x2", "y2"]))
def test_a_box_that_is_no_number_is_refused_by_row_and_frame(row: int, corner: str) -> None:
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(
            FormatError, match=rf"row {row} \(id {WALKERS.id[row]}, frame {WALKERS.frame[row]}, .* not a number"
        ):
            broken(row, **{corner: value})


@settings(deadline=None, max_examples=30)
@given(st.integers(0, len(WALKERS) - 1), st.floats(0, 1e4), st.sampled_from([0, 1]))
def test_a_box_of_no_or_negative_size_is_refused_by_row_and_frame(row: int, size: float, axis: int) -> None:
    low, high = (("x1", "x2"), ("y1", "y2"))[axis]
    with pytest.raises(FormatError, match=rf"row {row} \(id {WALKERS.id[row]}.*empty box.*in all: 1"):
        broken(row, **{high: float(WALKERS.box[row, axis]) - size, low: float(WALKERS.box[row, axis])})


def test_a_score_or_an_embedding_that_is_no_number_is_refused() -> None:
    score, embedding = WALKERS.score.copy(), WALKERS.embedding.copy()
    score[7], embedding[8, 1] = np.nan, np.inf
    with pytest.raises(FormatError, match=r"row 7 .* score"):
        replace(WALKERS, score=score)
    with pytest.raises(FormatError, match=r"row 8 .* embedding"):
        replace(WALKERS, embedding=embedding)


def test_frames_out_of_order_are_refused_or_sorted() -> None:
    order = np.random.default_rng(0).permutation(len(WALKERS))
    frame = WALKERS.frame[order]
    first = int(np.flatnonzero(np.diff(frame) < 0)[0]) + 1
    with pytest.raises(FormatError, match=rf"row {first} .* comes after a later frame"):
        WALKERS.take(order)
    by_id = WALKERS.take(np.lexsort((WALKERS.id, WALKERS.frame)))
    shuffled = Candidates.build(
        WALKERS.info, frame, WALKERS.box[order], WALKERS.score[order], embedding=WALKERS.embedding[order],
        id=WALKERS.id[order],
    )  # fmt: skip
    same = shuffled.take(np.lexsort((shuffled.id, shuffled.frame)))
    assert np.array_equal(LABELER.label(by_id).labels.box, LABELER.label(same).labels.box)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, SHIPPED_WEIGHTS.stat().st_size - 1))
def test_weights_cut_short_are_refused(length: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(SHIPPED_WEIGHTS.read_bytes()[:length])
    with pytest.raises(FormatError, match=r"cut\.safetensors"):
        SpamModel.load(path)


def test_what_is_no_weights_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "candidates.safetensors"
    write_candidates(path, WALKERS)
    with pytest.raises(FormatError, match=r"candidates\.safetensors"):
        Labeler.load(path, device="cpu")


def test_an_answer_about_an_unknown_candidate_is_reported() -> None:
    known = anchor(WALKERS, 3)
    lost = [
        Constraint(ConstraintKind.REJECT, replace(known, candidate_id=10**9, box=(0.0, 0.0, 1.0, 1.0))),
        Constraint(ConstraintKind.MUST_LINK, known, replace(known, candidate_id=10**9, frame=29, box=(0, 0, 1, 1))),
        Constraint(ConstraintKind.ACCEPT, replace(known, frame=10**6)),
    ]
    result = LABELER.label(WALKERS, Constraints(tuple(lost)))
    assert set(result.unmatched) == set(lost)
    assert np.array_equal(result.hierarchy.track_of, LABELER.label(WALKERS).hierarchy.track_of)
