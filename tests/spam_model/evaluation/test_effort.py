"""Quality against clicks: rows that add up."""

from __future__ import annotations

import json

import pytest

from spam_model.errors import InputError
from spam_model.evaluation import evaluate
from spam_model.evaluation.effort import EffortRow, effort_rows, truth_effort
from spam_model.labeler import Labeler
from spam_model.simulation import SimulationConfig, simulate
from tests.spam_model.active.shipped import STRATEGIES
from tests.spam_model.active.worlds import truth_of, walk

CLIP = simulate(SimulationConfig(frame_count=40, people=6), seed=5)
BUDGETS = (0.0, 0.02, 0.1)


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return Labeler.load(device="cpu")


@pytest.fixture(scope="module", params=STRATEGIES)
def rows(request: pytest.FixtureRequest, labeler: Labeler) -> dict[float, list[EffortRow]]:
    return {
        budget: list(effort_rows(CLIP.candidates, CLIP.truth, labeler.label, request.param, budget, rounds=2))
        for budget in BUDGETS
    }


def test_the_full_effort_leaves_distractors_out() -> None:
    people = walk(range(10), (0, 0)), walk(range(5), (200, 0))
    assert truth_effort(truth_of(*people)) == 2 * 15 + 13
    assert truth_effort(truth_of(*people, walk(range(9), (400, 0)), ignored=[2])) == 2 * 15 + 13
    assert truth_effort(truth_of()) == 0


def test_round_0_is_what_the_model_does_alone(rows: dict[float, list[EffortRow]], labeler: Labeler) -> None:
    alone = evaluate(CLIP.truth, labeler.label(CLIP.candidates).labels)
    for of_budget in rows.values():
        first = of_budget[0]
        assert (first.round, first.clicks, first.effort, first.ask_seconds) == (0, 0, 0.0, 0.0)
        assert first.scores == alone


def test_clicks_only_grow_and_stay_within_the_budget(rows: dict[float, list[EffortRow]]) -> None:
    full = truth_effort(CLIP.truth)
    for budget, of_budget in rows.items():
        clicks = [row.clicks for row in of_budget]
        assert clicks == sorted(set(clicks))
        assert clicks[-1] <= budget * full
        assert clicks[-1] >= budget * full - 2
        assert [row.effort for row in of_budget] == pytest.approx([count / full for count in clicks])
        assert [row.round for row in of_budget] == list(range(len(of_budget)))
        assert {row.budget for row in of_budget} == {budget}


def test_no_budget_is_one_round_without_a_question(rows: dict[float, list[EffortRow]]) -> None:
    assert len(rows[0.0]) == 1


def test_a_row_is_plain_json(rows: dict[float, list[EffortRow]]) -> None:
    def refuse(constant: str) -> object:
        raise AssertionError(f"{constant} is no JSON")

    row = rows[0.1][-1]
    read = json.loads(json.dumps(row.as_dict()), parse_constant=refuse)
    assert read["scores"]["HOTA"] == row.scores.hota
    assert (read["sequence"], read["clicks"], read["budget"]) == ("simulated-5", row.clicks, 0.1)


def test_an_annotator_who_errs_gives_other_labels(labeler: Labeler) -> None:
    def last(error_rate: float) -> EffortRow:
        return list(
            effort_rows(CLIP.candidates, CLIP.truth, labeler.label, "spam", 0.1, rounds=1, error_rate=error_rate)
        )[-1]

    right, wrong = last(0.0), last(1.0)
    assert right.clicks == wrong.clicks
    assert right.scores.hota > wrong.scores.hota


def test_an_unknown_strategy_is_refused(labeler: Labeler) -> None:
    with pytest.raises(InputError, match="no strategy"):
        list(effort_rows(CLIP.candidates, CLIP.truth, labeler.label, "best", 0.1))
