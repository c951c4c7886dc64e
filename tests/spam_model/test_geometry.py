from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model import geometry

CASES = [
    ("the same box", (0, 0, 10, 10), (0, 0, 10, 10), 1.0),
    ("half of one in the other", (0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
    ("one inside the other", (0, 0, 10, 10), (2, 2, 7, 6), 0.2),
    ("side by side, sharing an edge", (0, 0, 10, 10), (10, 0, 20, 10), 0.0),
    ("apart", (0, 0, 1, 1), (5, 5, 6, 6), 0.0),
    ("empty boxes", (3, 3, 3, 3), (3, 3, 3, 3), 0.0),
]


@pytest.mark.parametrize(("first", "second", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_iou_of_known_pairs(first: tuple[int, ...], second: tuple[int, ...], expected: float) -> None:
    a, b = np.array([first], float), np.array([second], float)
    assert geometry.iou_matrix(a, b)[0, 0] == pytest.approx(expected)
    assert geometry.iou_rows(a, b)[0] == pytest.approx(expected)


coordinate = st.floats(-50, 50, allow_nan=False)
boxes = st.lists(st.tuples(coordinate, coordinate, st.floats(0.1, 60), st.floats(0.1, 60)), min_size=1, max_size=6)


@given(boxes, boxes)
def test_iou_matrix_agrees_with_one_pair_at_a_time(
    first: list[tuple[float, ...]], second: list[tuple[float, ...]]
) -> None:
    a, b = (np.array([(x, y, x + w, y + h) for x, y, w, h in part]) for part in (first, second))
    matrix = geometry.iou_matrix(a, b)
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
            height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
            shared = width * height
            union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
            assert matrix[i, j] == pytest.approx(shared / union)
    assert (matrix == geometry.iou_matrix(b, a).T).all()


@given(boxes)
def test_middles_and_sizes_give_the_box_back(rows: list[tuple[float, ...]]) -> None:
    box = np.array([(x, y, x + w, y + h) for x, y, w, h in rows])
    again = geometry.from_centres(geometry.centres(box), geometry.sizes(box))
    assert np.allclose(again, box)
    assert np.allclose(geometry.bottom_centres(box)[:, 1], box[:, 3])
    assert np.allclose(geometry.area(box), geometry.sizes(box).prod(axis=1))


def test_clipping_keeps_what_is_inside_and_empties_what_is_outside() -> None:
    box = np.array([[-5.0, 10, 20, 30], [90, 90, 120, 110], [200, 0, 210, 10]])
    clipped = geometry.clip_to_image(box, width=100, height=100)
    assert clipped.tolist() == [[0, 10, 20, 30], [90, 90, 100, 100], [100, 0, 100, 10]]
    assert geometry.area(clipped)[2] == 0


def test_no_boxes_give_an_empty_matrix() -> None:
    none, three = np.zeros((0, 4)), np.ones((3, 4))
    assert geometry.iou_matrix(none, three).shape == (0, 3)
    assert geometry.iou_rows(none, none).shape == (0,)
