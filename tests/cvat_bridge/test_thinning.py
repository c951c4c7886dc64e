"""Keyframes: few, and enough for CVAT's interpolation to give every box back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cvat_bridge.thinning import MIN_TOLERANCE_PX, TOLERANCE_SHARE, keyframe_positions
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

Run = tuple[IntArray, FloatArray, BoolArray]


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A box that walks, jumps and grows, over consecutive frames."""
    count = draw(st.integers(1, 40))
    steps = draw(arrays.arrays(np.float64, (count, 4), elements=st.floats(-8, 8, width=32)))
    box = np.array([50.0, 50, 0, 0]) + np.cumsum(steps, axis=0)
    box[:, 2:] = box[:, :2] + 20 + np.abs(box[:, 2:])
    return np.arange(7, 7 + count), box, draw(arrays.arrays(bool, count))


def _tolerance(box: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(MIN_TOLERANCE_PX, TOLERANCE_SHARE * (box[:, 2:] - box[:, :2]).mean(axis=1)))


@settings(max_examples=150, deadline=None)
@given(run=runs())
def test_interpolating_the_kept_boxes_gives_every_box_back_within_the_tolerance(run: Run) -> None:
    frame, box, flag = run
    kept = keyframe_positions(frame, box, flag)
    again = np.stack([np.interp(frame, frame[kept], box[kept, side]) for side in range(4)], axis=1)
    assert (np.abs(again - box).max(axis=1) <= _tolerance(box) + 1e-9).all()


@settings(max_examples=150, deadline=None)
@given(run=runs())
def test_ends_and_every_change_of_the_flag_are_kept(run: Run) -> None:
    frame, box, flag = run
    kept = keyframe_positions(frame, box, flag).tolist()
    assert kept[0] == 0
    assert kept[-1] == len(frame) - 1
    assert kept == sorted(set(kept))
    assert set(np.flatnonzero(np.diff(flag.astype(int))) + 1) <= set(kept)


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("a straight walk", [10 + 3.0 * i for i in range(100)], [0, 99]),
        ("a standstill", [10.0] * 100, [0, 99]),
        ("a turn", [abs(50.0 - i) * 4 for i in range(100)], [0, 50, 99]),
        ("one box", [10.0], [0]),
        ("two boxes", [10.0, 300.0], [0, 1]),
    ],
)
def test_what_moves_evenly_needs_its_ends_only(name: str, path: list[float], expected: list[int]) -> None:
    x1 = np.array(path)
    box = np.stack([x1, x1 * 0, x1 + 20, x1 * 0 + 40], axis=1)
    kept = keyframe_positions(np.arange(len(x1)), box, np.zeros(len(x1), bool))
    assert len(kept) <= len(expected) + 1, name
    assert {kept[0], kept[-1]} <= set(expected)


def test_a_gap_between_frames_counts_as_the_time_it_is() -> None:
    frame = np.array([0, 1, 10, 11])
    box = np.stack([frame * 5.0, frame * 0.0, frame * 5.0 + 20, frame * 0.0 + 40], axis=1)
    assert keyframe_positions(frame, box, np.zeros(4, bool)).tolist() == [0, 3]
