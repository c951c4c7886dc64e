from __future__ import annotations

import numpy as np
import pytest

from spam_model.training.node_check import check_nodes, precision_at_recall

TRUTH = np.array([True, False, True, False])


@pytest.mark.parametrize(
    ("value", "recall", "expected"),
    [
        ([0.9, 0.1, 0.8, 0.2], 1.0, 1.0),
        ([0.9, 0.7, 0.6, 0.1], 0.5, 1.0),
        ([0.9, 0.7, 0.6, 0.1], 1.0, 2 / 3),
        ([0.1, 0.9, 0.2, 0.8], 0.5, 1 / 3),
    ],
)
def test_precision_of_as_many_as_the_recall_takes(value: list[float], recall: float, expected: float) -> None:
    assert precision_at_recall(np.array(value), TRUTH, recall) == pytest.approx(expected)


def test_both_are_compared_at_the_same_recall() -> None:
    rows = check_nodes(np.array([0.9, 0.8, 0.1, 0.2]), np.array([0.9, 0.1, 0.8, 0.2]), TRUTH)
    assert [row.recall for row in rows] == [0.8, 0.9, 0.95, 0.98]
    assert all(row.by_score == 0.5 and row.learned == 1.0 for row in rows)
    assert check_nodes(np.zeros(2), np.zeros(2), np.zeros(2, bool)) == ()
