from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.evaluation.calibration import calibration_rows, error_by_chance, expected_calibration_error, in_doubt


def test_the_error_by_hand() -> None:
    probability = np.array([0.9, 0.9, 0.1, 0.1])
    truth = np.array([True, False, False, False])
    # two in the bin of 0.9, half of them true: 0.4 off; two in the bin of 0.1, none true: 0.1 off
    assert expected_calibration_error(probability, truth) == pytest.approx((2 * 0.4 + 2 * 0.1) / 4)
    assert expected_calibration_error(probability, truth, bins=1) == pytest.approx(0.25)
    assert expected_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_error_is_that_of_a_loop_over_bins(pairs: list[tuple[float, bool]]) -> None:
    bins = 15
    total = 0.0
    for b in range(bins):
        inside = [(p, t) for p, t in pairs if min(int(p * bins), bins - 1) == b]
        if inside:
            mean_p, mean_t = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            total += len(inside) / len(pairs) * abs(mean_t - mean_p)
    probability, truth = np.array([p for p, _ in pairs]), np.array([t for _, t in pairs])
    assert expected_calibration_error(probability, truth) == pytest.approx(total)


def test_few_decisions_have_an_error_by_chance_alone() -> None:
    few, many = np.linspace(0.05, 0.95, 100), np.linspace(0.05, 0.95, 10_000)
    # each bin of n decisions is off by sqrt(p (1 - p) / n) · sqrt(2 / π) on average
    expected = np.mean(np.sqrt(few * (1 - few) / (100 / 15)) * np.sqrt(2 / np.pi))
    assert error_by_chance(few) == pytest.approx(expected, rel=0.2)
    assert error_by_chance(many) == pytest.approx(expected / 10, rel=0.2)
    assert error_by_chance(np.zeros(0)) == 0.0


def test_plain_decisions_hide_an_error_that_the_doubtful_ones_show() -> None:
    probability = np.concatenate([np.zeros(900), np.full(100, 0.5)])
    truth = np.concatenate([np.zeros(900, bool), np.ones(100, bool)])
    (row,) = calibration_rows({1: (probability, truth)}, fewest=10)
    assert row.count == 1000
    assert row.error == pytest.approx(0.05)
    assert row.doubtful_count == 100
    assert row.doubtful_error == pytest.approx(0.5)
    assert in_doubt(np.array([0.05, 0.06, 0.95])).tolist() == [False, True, False]


def test_levels_with_few_doubtful_decisions_are_pooled() -> None:
    many, few = np.full(200, 0.5), np.full(199, 0.5)
    decisions = {
        0: (many, many > 0),
        1: (few, few > 0),
        2: (many, many > 0),
        3: (np.zeros(500), np.zeros(500, bool)),
    }
    rows = calibration_rows(decisions)
    assert [row.levels for row in rows] == [(0,), (2,), (1, 3)]
    assert rows[-1].count == 699
    assert rows[-1].doubtful_count == 199
    assert calibration_rows({}) == ()
