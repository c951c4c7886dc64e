from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.graph import matching
from spam_model.graph.matching import match


def best_weight_by_enumeration(edge: np.ndarray, probability: np.ndarray) -> float:
    best = 0.0
    for size in range(1, len(probability) + 1):
        for subset in combinations(range(len(probability)), size):
            past, future = edge[:, subset]
            if len(set(past)) == size and len(set(future)) == size:
                best = max(best, float((2 * probability[list(subset)] - 1).sum()))
    return best


@given(
    st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 4)), st.floats(0, 1), max_size=9).map(
        lambda d: {k: v for k, v in d.items() if k[0] < k[1]}
    )
)
def test_no_choice_is_better_than_the_matching(edges: dict[tuple[int, int], float]) -> None:
    edge = np.array(list(edges), np.int64).reshape(-1, 2).T
    probability = np.array(list(edges.values()))
    chosen = match(edge, probability)
    past, future = edge[:, chosen]
    assert len(set(past)) == len(past)
    assert len(set(future)) == len(future)
    assert (2 * probability[chosen] - 1).sum() == pytest.approx(best_weight_by_enumeration(edge, probability))


@pytest.mark.parametrize(
    ("edge", "probability", "expected", "why"),
    [
        ([], [], [], "no edge"),
        ([(0, 1)], [0.5], [False], "undecided is no link"),
        ([(0, 1), (1, 2)], [0.9, 0.9], [True, True], "a node may have one link on either side"),
        ([(0, 2), (1, 2)], [0.8, 0.9], [False, True], "one into a node"),
        ([(0, 1), (0, 2)], [0.8, 0.9], [False, True], "one out of a node"),
        ([(0, 2), (0, 3), (1, 2)], [0.9, 0.8, 0.85], [False, True, True], "two good links beat one very good one"),
    ],
)
def test_matching_case(edge: list, probability: list, expected: list, why: str) -> None:
    assert match(np.array(edge, np.int64).reshape(-1, 2).T, np.array(probability)).tolist() == expected, why


def test_a_large_crowd_is_matched_as_its_parts_are() -> None:
    rng = np.random.default_rng(0)
    parts, offset = [], 0
    for _ in range(40):
        edge = np.unique(rng.integers(0, 6, (2, 12)) + np.array([[0], [6]]), axis=1)
        parts.append((edge + offset, rng.random(edge.shape[1])))
        offset += 12
    together = match(np.concatenate([e for e, _ in parts], axis=1), np.concatenate([p for _, p in parts]))
    apart = np.concatenate([match(e, p) for e, p in parts])
    assert np.array_equal(together, apart)


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
def test_what_is_solved_at_once_changes_no_link(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    past = np.repeat(np.arange(400), 2)
    edge = np.unique(np.stack([past, past + rng.integers(1, 6, len(past))]), axis=1)
    probability = rng.uniform(0.3, 1.0, edge.shape[1])
    expected = match(edge, probability)
    monkeypatch.setattr(matching, "_AT_ONCE", at_once)
    assert np.array_equal(match(edge, probability), expected)
    useful = edge[:, probability > 0.5]
    parts = matching._parts(useful)
    assert sorted(np.concatenate(parts).tolist()) == list(range(useful.shape[1]))
    for side in useful:
        assert sum(len(np.unique(side[part])) for part in parts) == len(np.unique(side)), "parts share no node end"
    assert (len(parts) > 10) == (at_once < 10)
