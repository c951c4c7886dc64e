"""Non-maximum suppression against its definition, written out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spam_model.detectors.nms import non_maximum_suppression, suppressed


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def brute_force(box: np.ndarray, score: np.ndarray, class_id: np.ndarray, max_iou: float) -> list[int]:
    kept: list[int] = []
    for row in sorted(range(len(box)), key=lambda i: (-score[i], i)):
        if all(class_id[row] != class_id[k] or overlap(box[row], box[k]) <= max_iou for k in kept):
            kept.append(row)
    return kept


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 40), max_iou=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_it_keeps_what_the_definition_keeps(seed: int, count: int, max_iou: float) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 30, (count, 2))
    box = np.concatenate([corner, corner + rng.uniform(5, 30, (count, 2))], axis=1)
    score = np.round(rng.uniform(0, 1, count), 1)  # with ties
    class_id = rng.integers(0, 2, count)
    assert non_maximum_suppression(box, score, class_id, max_iou).tolist() == brute_force(box, score, class_id, max_iou)


def test_of_equal_scores_the_first_stays() -> None:
    box = np.tile([0.0, 0, 10, 10], (3, 1))
    assert non_maximum_suppression(box, np.full(3, 0.5), np.zeros(3, int)).tolist() == [0]


def test_classes_do_not_suppress_each_other() -> None:
    box = np.tile([0.0, 0, 10, 10], (3, 1))
    assert non_maximum_suppression(box, np.array([0.2, 0.9, 0.5]), np.array([0, 1, 0])).tolist() == [1, 2]


def test_what_a_network_says_of_nowhere_is_dropped() -> None:
    box = np.array([[-20.0, 0, -5, 10], [0, 0, np.inf, 10], [95, 40, 120, 90], [5, 5, 5, 9]])
    found = suppressed(box, np.array([0.9, 0.8, 1.0000001, 0.6]), np.zeros(4, int), (100, 50), 0.7)
    assert found.box.tolist() == [[95, 40, 120, 90]]  # a box may reach beyond the image
    assert found.score.tolist() == [1.0]
