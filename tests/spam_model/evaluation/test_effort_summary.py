"""What effort rows add up to, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.evaluation.contest import MEAN
from spam_model.evaluation.effort import EffortRow
from spam_model.evaluation.effort_summary import clicks_to_reach, first_crossing, gap_closed, points, zero_click
from spam_model.evaluation.scores import Scores

BOUNDS = {"a": 80.0, "b": 70.0}


def row(sequence: str, strategy: str, budget: float, round: int, hota: float) -> EffortRow:
    effort = budget if round else 0.0
    scores = Scores(hota, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0)
    return EffortRow(sequence, strategy, budget, 1, 0.0, round, int(1000 * effort), effort, scores, 0.0, 0.0)


def run(sequence: str, strategy: str, budget: float, zero: float, hota: float) -> list[EffortRow]:
    return [row(sequence, strategy, budget, 0, zero), row(sequence, strategy, budget, 1, hota)]


ROWS = [
    *run("a", "slow", 0.02, 60.0, 65.0),
    *run("a", "slow", 0.04, 60.0, 70.0),
    *run("a", "fast", 0.02, 60.0, 75.0),
    *run("a", "fast", 0.04, 60.0, 84.0),
    *run("b", "slow", 0.02, 50.0, 55.0),
    *run("b", "slow", 0.04, 50.0, 60.0),
    *run("b", "fast", 0.02, 50.0, 53.0),
    *run("b", "fast", 0.04, 50.0, 56.0),
]


def test_the_gap_closed_by_hand() -> None:
    assert gap_closed(75, 60, 80) == 0.75
    assert gap_closed(84, 60, 80) == pytest.approx(1.2), "drawn boxes beat the candidates"
    assert gap_closed(55, 60, 80) == -0.25
    assert gap_closed(60, 60, 60) is None


def test_points_are_the_ends_of_runs_and_their_means() -> None:
    found = {(p.sequence, p.setting.strategy, p.budget): p for p in points(ROWS, BOUNDS)}
    assert len(found) == 3 * 2 * 2
    assert found["a", "fast", 0.04].gap_closed == pytest.approx(1.2)
    mean = found[MEAN, "fast", 0.04]
    assert (mean.scores["HOTA"], mean.clicks, mean.effort) == (70.0, 40.0, 0.04)
    assert mean.gap_closed == pytest.approx((70 - 55) / (75 - 55))


def test_one_sequence_has_no_mean() -> None:
    assert {point.sequence for point in points(ROWS[:8], BOUNDS)} == {"a"}


def test_the_clicks_for_anothers_quality_are_read_along_straight_lines() -> None:
    reached = clicks_to_reach(points(ROWS, BOUNDS), zero_click(ROWS), "slow", 0.04)
    found = {(one.sequence, one.setting.strategy): one for one in reached}
    assert found["a", "slow"].share == 1.0
    assert found["a", "fast"].effort == pytest.approx(0.02 * 10 / 15)
    assert found["a", "fast"].share == pytest.approx(1 / 3)
    assert found["b", "fast"].effort is None
    assert found["b", "fast"].share is None
    assert found[MEAN, "fast"].hota == 65.0
    assert found[MEAN, "fast"].effort == pytest.approx(0.02 + 0.02 * 1 / 6)


def test_other_rounds_are_compared_among_themselves() -> None:
    more = [EffortRow(**{**vars(one), "rounds": 5}) for one in ROWS]
    reached = clicks_to_reach(points(ROWS + more, BOUNDS), zero_click(ROWS), "slow", 0.04)
    assert len(reached) == 2 * len(clicks_to_reach(points(ROWS, BOUNDS), zero_click(ROWS), "slow", 0.04))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=6), st.floats(0, 100))
def test_a_crossing_lies_between_a_point_below_and_one_above(y: list[float], level: float) -> None:
    x = [float(i) for i in range(len(y))]
    at = first_crossing(x, y, level)
    if at is None:
        assert max(y) < level
        return
    above = next(i for i in range(len(y)) if y[i] >= level)
    assert max(0, above - 1) <= at <= above
