"""Non-maximum suppression against its definition, written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.detectors import nms
from spam_model.detectors.nms import non_maximum_suppression


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


def crowd(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60 * count**0.5, (count // 10, 2)).repeat(10, axis=0)
    box = np.concatenate([corner, corner + 50], axis=1) + rng.normal(0, 6, (count, 4))
    return box, rng.uniform(0, 1, count), rng.integers(0, 2, count)


@pytest.mark.parametrize("block", [7, 100, 300, 1024])
def test_cutting_into_blocks_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    box, score, class_id = crowd(300)
    monkeypatch.setattr(nms, "_BLOCK", block)
    kept = non_maximum_suppression(box, score, class_id, 0.4)
    assert kept.tolist() == brute_force(box, score, class_id, 0.4)
    assert 30 < len(kept) < 250


def test_a_long_chain_of_clashes_is_followed_to_its_end() -> None:
    """Each box touches its neighbours only, so every second stays."""
    left = np.arange(500.0)
    box = np.stack([left, np.zeros(500), left + 3, np.ones(500)], axis=1)  # IoU 0.5 with the next, 0.2 with the second
    kept = non_maximum_suppression(box, np.linspace(1, 0, 500), np.zeros(500, int), 0.4)
    assert kept.tolist() == list(range(0, 500, 2))


def test_memory_does_not_grow_with_the_square_of_the_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = []
    clash = nms._clash

    def watched(*arguments: object) -> object:
        pairs = clash(*arguments)  # type: ignore[arg-type]
        largest.append(pairs.numel())
        return pairs

    monkeypatch.setattr(nms, "_clash", watched)
    box, score, class_id = crowd(5000)
    assert 500 < len(non_maximum_suppression(box, score, class_id)) < 5000
    assert max(largest) <= 1024**2


def test_boxes_that_nobody_may_write_to_are_fine() -> None:
    box, score, class_id = crowd(20)
    box.flags.writeable = False
    assert len(non_maximum_suppression(box, score, class_id)) > 0


def test_of_equal_scores_the_first_stays() -> None:
    box = np.tile([0.0, 0, 10, 10], (3, 1))
    assert non_maximum_suppression(box, np.full(3, 0.5), np.zeros(3, int)).tolist() == [0]


def test_classes_do_not_suppress_each_other() -> None:
    box = np.tile([0.0, 0, 10, 10], (3, 1))
    assert non_maximum_suppression(box, np.array([0.2, 0.9, 0.5]), np.array([0, 1, 0])).tolist() == [1, 2]
