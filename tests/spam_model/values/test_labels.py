"""Labels: sorted however they are made, rows taken, and what cannot be labels refused."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.errors import FormatError
from spam_model.values import Labels
from tests.spam_model.builders import clip_info

INFO = clip_info(frame_count=10)
COLUMNS = [field.name for field in fields(Labels) if field.name != "info"]


def labels_of(cells: list[tuple[int, int]]) -> Labels:
    """A box per track and frame; every column tells the place of the box in ``cells``."""
    place = np.arange(len(cells))
    track, frame = np.array(cells, np.int64).reshape(-1, 2).T
    box = np.stack([place, place, place + 1, place + 1], axis=1)
    return Labels.build(
        INFO,
        track,
        frame,
        box,
        class_id=place,
        score=place,
        candidate_id=place,
        occluded=place % 2 == 1,
        uncertainty=place,
    )


def rows_of(labels: Labels) -> list[tuple[object, ...]]:
    return list(zip(*(getattr(labels, name).tolist() for name in COLUMNS), strict=True))


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 9)), unique=True, max_size=12))
def test_boxes_are_sorted_and_keep_what_belongs_to_them(cells: list[tuple[int, int]]) -> None:
    labels = labels_of(cells)
    assert list(zip(labels.track.tolist(), labels.frame.tolist(), strict=True)) == sorted(cells)
    assert [cells[place] for place in labels.candidate_id] == sorted(cells)
    for name in ("class_id", "score", "uncertainty"):
        assert np.array_equal(getattr(labels, name), labels.candidate_id)
    assert np.array_equal(labels.box[:, 0], labels.candidate_id)
    assert np.array_equal(labels.occluded, labels.candidate_id % 2 == 1)


def test_what_is_not_given_is_filled() -> None:
    labels = Labels.build(INFO, np.array([2, 1]), np.array([0, 0]), np.array([[0, 0, 1, 1], [2, 2, 3, 3]]))
    assert rows_of(labels) == [
        (1, 0, [2.0, 2.0, 3.0, 3.0], 0, 1.0, -1, False, 0.0),
        (2, 0, [0.0, 0.0, 1.0, 1.0], 0, 1.0, -1, False, 0.0),
    ]
    assert len(Labels.build(INFO, np.zeros(0), np.zeros(0), np.zeros(0))) == 0


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_mask_and_its_rows_take_the_same(mask: list[bool]) -> None:
    labels = labels_of([(1, 0), (1, 1), (1, 5), (3, 0), (3, 1), (4, 9)])
    taken = labels.take(np.array(mask))
    assert rows_of(taken) == [row for row, stays in zip(rows_of(labels), mask, strict=True) if stays]
    assert rows_of(labels.take(np.flatnonzero(mask))) == rows_of(taken)
    assert rows_of(labels.take(np.flatnonzero(mask)[::-1])) == rows_of(taken)


def test_under_other_numbers_the_tracks_are_sorted_anew() -> None:
    labels = labels_of([(1, 0), (1, 4), (2, 0)])
    renamed = labels.take(np.array([0, 1, 2]), track=np.array([9, 9, 3]))
    assert renamed.track.tolist() == [3, 9, 9]
    assert renamed.candidate_id.tolist() == [2, 0, 1]


@pytest.mark.parametrize("name", ["track", "frame"])
def test_a_second_box_in_a_frame_and_an_order_that_is_none_are_refused(name: str) -> None:
    labels = labels_of([(1, 0), (1, 1), (2, 5)])
    with pytest.raises(FormatError, match="not sorted"):
        replace(labels, **{name: getattr(labels, name)[::-1]})
    with pytest.raises(FormatError, match="two boxes in a frame"):
        labels_of([(1, 0), (1, 0)])
