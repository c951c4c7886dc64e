"""k-center greedy against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spam_model.active.baselines.coreset import Coreset, k_center_greedy, pool_features, standardised
from spam_model.active.baselines.pool import QuestionPool
from spam_model.graph.features import NODE_FEATURES
from tests.spam_model.active.baselines.schemes import result


def points(count: st.SearchStrategy[int]) -> st.SearchStrategy[np.ndarray]:
    return count.flatmap(lambda n: arrays(np.float64, (n, 2), elements=st.integers(0, 6).map(float)))


def brute_force(feature: np.ndarray, covered: np.ndarray) -> list[float]:
    """The distances at which the farthest point is taken, by all pairs."""
    centres = [tuple(centre) for centre in covered]
    if not centres:
        start = feature[np.argmin(((feature - feature.mean(axis=0)) ** 2).sum(axis=1))]
        centres = [tuple(start)]
    distances = []
    while True:
        nearest = [min(np.hypot(x - a, y - b) for a, b in centres) for x, y in feature]
        if max(nearest) == 0:
            return distances
        distances.append(max(nearest))
        centres.append(tuple(feature[int(np.argmax(nearest))]))


@given(points(st.integers(1, 12)), points(st.integers(0, 4)))
def test_each_centre_is_the_point_farthest_from_those_before(feature: np.ndarray, covered: np.ndarray) -> None:
    taken = list(k_center_greedy(feature, covered))
    distances = [distance for _, distance in taken]
    if not len(covered):
        centre = feature.mean(axis=0)
        first = ((feature[taken[0][0]] - centre) ** 2).sum()
        assert first == pytest.approx(((feature - centre) ** 2).sum(axis=1).min())
        distances = distances[1:]
    assert distances == pytest.approx(brute_force(feature, covered))
    positions = [position for position, _ in taken]
    assert len(positions) == len(set(positions))


@given(points(st.integers(1, 12)), points(st.integers(0, 4)))
def test_every_beginning_covers_within_twice_the_next_distance(feature: np.ndarray, covered: np.ndarray) -> None:
    centres = list(covered)
    for position, distance in k_center_greedy(feature, covered):
        if centres:
            to_centre = np.linalg.norm(feature[:, None] - np.array(centres)[None], axis=2).min(axis=1)
            assert to_centre.max() == pytest.approx(distance)
        centres.append(feature[position])


def test_no_points_have_no_centre() -> None:
    assert list(k_center_greedy(np.zeros((0, 3)), np.zeros((0, 3)))) == []


def test_what_people_settled_is_covered() -> None:
    this = result(True)
    pool = QuestionPool(this)
    feature = standardised(pool_features(this, pool))
    settled = feature[~pool.open]
    first = next(iter(Coreset().rank(this)))
    distance = np.linalg.norm(feature[pool.open][:, None] - settled[None], axis=2).min(axis=1)
    assert first.value == pytest.approx(distance.max())


def test_features_are_standardised_over_all_questions() -> None:
    pool = QuestionPool(result(False))
    feature = standardised(pool_features(result(False), pool))
    assert feature.shape == (len(pool), len(NODE_FEATURES))
    assert np.allclose(feature.mean(axis=0), 0, atol=1e-9)
    assert np.all(np.isclose(feature.std(axis=0), 1) | np.isclose(feature.std(axis=0), 0))
