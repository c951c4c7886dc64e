"""The paper's scheme: each level by its entropy, and the budget split over the levels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.active.hierarchical_entropy import DEFAULT_SPLIT, SPLITS, BudgetSplit, HierarchicalEntropy
from spam_model.values import Query, QueryKind, binary_entropy
from tests.spam_model.active.baselines.schemes import result

counts = st.lists(st.integers(0, 500), min_size=2, max_size=14).map(np.array)
ALL = pytest.mark.parametrize("split", SPLITS.values(), ids=list(SPLITS))


@cache
def ranked(split: BudgetSplit, answered: bool = False) -> tuple[Query, ...]:
    return tuple(HierarchicalEntropy(split).rank(result(answered)))


@cache
def first_asked(split: BudgetSplit) -> tuple[Query, ...]:
    return tuple(islice(HierarchicalEntropy(split).rank(result(False)), 200))


def test_there_are_ten_splits_and_the_default_is_one_of_them() -> None:
    assert len(SPLITS) == 10
    assert DEFAULT_SPLIT in SPLITS
    assert [split.name for split in SPLITS.values()] == list(SPLITS)


@given(counts)
def test_the_shares_of_a_split_sum_to_one(uncertain: np.ndarray) -> None:
    for split in SPLITS.values():
        shares = split.shares(uncertain)
        assert shares.shape == uncertain.shape
        assert (shares >= 0).all()
        assert shares.sum() == pytest.approx(1)


SHARES: list[tuple[str, list[float]]] = [
    ("equal", [1 / 7] * 7),
    ("boxes", [1, 0, 0, 0, 0, 0, 0]),
    ("links", [0, *[1 / 6] * 6]),
    ("half-boxes", [1 / 2, *[1 / 12] * 6]),
    ("low", [0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0]),
    ("high", [0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3]),
    ("boxes-and-high", [1 / 2, 0, 0, 0, 1 / 6, 1 / 6, 1 / 6]),
    ("uncertain", [0.5, 0.2, 0, 0, 0, 0.2, 0.1]),
    ("geometric-down", [64 / 127, 32 / 127, 16 / 127, 8 / 127, 4 / 127, 2 / 127, 1 / 127]),
    ("geometric-up", [1 / 127, 2 / 127, 4 / 127, 8 / 127, 16 / 127, 32 / 127, 64 / 127]),
]


@pytest.mark.parametrize(("name", "shares"), SHARES)
def test_a_split_is_what_its_name_says(name: str, shares: list[float]) -> None:
    assert SPLITS[name].shares(np.array([50, 20, 0, 0, 0, 20, 10])) == pytest.approx(shares)


@pytest.mark.parametrize("split", [SPLITS["equal"], SPLITS["half-boxes"], SPLITS["uncertain"]], ids=lambda s: s.name)
@pytest.mark.parametrize("answered", [False, True])
def test_every_budget_is_split_as_agreed_and_spent_whole(split: BudgetSplit, answered: bool) -> None:
    queries = ranked(split, answered)
    levels = len(result(answered).hierarchy.levels) + 1
    available = np.bincount([query.level for query in queries], minlength=levels)
    uncertain = _uncertain(answered)
    shares = split.shares(uncertain)
    for budget in (10, 40, 160):
        spent = np.bincount([query.level for query in queries[:budget]], minlength=levels)
        assert spent.sum() == budget
        if (budget * shares <= available - 1).all():  # no level runs out
            assert (np.abs(spent - budget * shares) <= levels / 2).all()


def _uncertain(answered: bool) -> np.ndarray:
    """Nodes with an open decision of 0.1 ≤ p ≤ 0.9, at each level, by plain loops."""
    hierarchy = result(answered).hierarchy
    doubtful: Callable[[float], bool] = lambda p: 0.1 <= p <= 0.9  # noqa: E731
    boxes = sum(doubtful(p) for p in hierarchy.node_probability)
    links = [
        len({past for past, p in zip(level.edge[0].tolist(), level.probability.tolist(), strict=True) if doubtful(p)})
        for level in hierarchy.levels
    ]
    return np.array([boxes, *links])


@ALL
def test_each_level_is_asked_in_the_order_of_its_entropy(split: BudgetSplit) -> None:
    queries = first_asked(split)
    for level in range(len(result(False).hierarchy.levels) + 1):
        entropy = [query.uncertainty for query in queries if query.level == level]
        assert entropy == sorted(entropy, reverse=True)
    assert all(query.value == query.uncertainty for query in queries)


@ALL
def test_the_next_occurrence_of_a_box_is_asked_once(split: BudgetSplit) -> None:
    last = [query.subject[-1].candidate_id for query in first_asked(split) if query.kind is QueryKind.ASSOCIATION]
    assert len(last) == len(set(last))
    assert last or split.name == "boxes"


def test_with_equal_shares_the_levels_take_turns() -> None:
    levels = len(result(False).hierarchy.levels) + 1
    assert [query.level for query in first_asked(SPLITS["equal"])[: 3 * levels]] == [*range(levels)] * 3


def test_splits_ask_the_same_in_another_order() -> None:
    first, second = (
        {(query.kind, query.subject[-1].candidate_id) for query in ranked(SPLITS[name])}
        for name in ("equal", "uncertain")
    )
    assert first == second
    orders = {tuple(query.id for query in first_asked(split)) for split in SPLITS.values()}
    assert len(orders) == len(SPLITS)


def test_both_ends_of_an_edge_share_its_entropy_in_one_question() -> None:
    for level in result(False).hierarchy.levels:
        entropy = binary_entropy(level.probability)
        asked = {q.subject[-1].candidate_id: q for q in ranked(SPLITS["equal"]) if q.level == level.index}
        for (past, _), value in zip(level.edge.T.tolist(), entropy.tolist(), strict=True):
            last = result(False).candidates.id[np.flatnonzero(level.node_of == past)[-1]]
            if last in asked:
                assert asked[last].uncertainty >= value - 1e-12
