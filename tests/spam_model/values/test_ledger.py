"""The click ledger: prices, what is charged, and a budget that does not move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.values import Ledger, Query, full_effort
from tests.spam_model.active.worlds import association, detection, localization

QUERIES: tuple[Query, ...] = (detection(1), detection(2, 3, level=4), association([4], [5], [6]), localization(7))
ids = st.sets(st.sampled_from([query.id for query in QUERIES])).map(frozenset)


@pytest.mark.parametrize(
    ("boxes", "tracks", "clicks", "reason"),
    [
        (0, 0, 0, "nothing to label"),
        (1, 1, 2, "one box has no link"),
        (10, 1, 29, "ten boxes, nine links"),
        (10, 10, 20, "ten tracks of one box, no link"),
        (10, 2, 28, "two tracks, eight links"),
    ],
)
def test_full_effort_is_two_clicks_a_box_and_one_a_link(boxes: int, tracks: int, clicks: int, reason: str) -> None:
    assert full_effort(boxes, tracks) == clicks, reason


@pytest.mark.parametrize(
    ("full", "fraction", "budget"),
    [(1000, 0.033, 33), (1000, 0.0339, 33), (100, 0.29, 29), (7, 1.0, 7), (1000, 0.0, 0), (0, 0.5, 0)],
)
def test_a_fraction_buys_whole_clicks_and_floating_point_loses_none(full: int, fraction: float, budget: int) -> None:
    assert Ledger.for_fraction(full, fraction).budget == budget


@pytest.mark.parametrize("fraction", [-0.01, 1.01, float("nan")])
def test_a_budget_beyond_nothing_and_all_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Ledger.for_fraction(100, fraction)


def test_asking_costs_nothing_and_answering_costs_the_price() -> None:
    asked = Ledger(full=100, budget=10).ask(QUERIES, round=1)
    assert (asked.spent, asked.left, asked.effort) == (0, 10, 0.0)
    answered = asked.charge(frozenset({QUERIES[0].id, QUERIES[3].id}))
    assert (answered.spent, answered.left, answered.effort) == (3, 7, 0.03)


def test_effort_of_nothing_to_label_is_zero() -> None:
    assert Ledger(full=0, budget=0).effort == 0


def test_a_question_asked_twice_is_entered_once_and_keeps_its_round() -> None:
    ledger = Ledger(full=100, budget=10).ask((QUERIES[0], QUERIES[0]), round=1).ask(QUERIES, round=2)
    assert [entry.query_id for entry in ledger.entries] == [query.id for query in QUERIES]
    assert [entry.round for entry in ledger.entries] == [1, 2, 2, 2]


@given(st.lists(ids, max_size=6))
def test_a_question_is_charged_once_however_often_it_is_charged(charges: list[frozenset[str]]) -> None:
    ledger = Ledger(full=100, budget=10).ask(QUERIES, round=1)
    for charge in charges:
        ledger = ledger.charge(charge)
    answered = frozenset().union(*charges)
    assert ledger.spent == sum(query.clicks for query in QUERIES if query.id in answered)
    assert ledger.spent + ledger.left == ledger.budget == 10


def test_a_charge_for_what_was_never_asked_is_no_charge() -> None:
    assert Ledger(full=100, budget=10).charge(frozenset({"unknown"})).spent == 0


def test_it_knows_what_was_asked_and_nothing_else() -> None:
    ledger = Ledger(full=100, budget=10)
    assert not ledger.knows(QUERIES[0].id)
    ledger = ledger.ask(QUERIES[:1], round=1)
    assert ledger.knows(QUERIES[0].id)
    assert not ledger.knows(QUERIES[1].id)
