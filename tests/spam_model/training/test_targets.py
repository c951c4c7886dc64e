from __future__ import annotations

import numpy as np
import pytest

from spam_model.graph.scene import Scene
from spam_model.graph.states import build_tracklets
from spam_model.training.targets import edge_targets, tracklet_identities
from tests.spam_model.graph.worlds import random_candidates


@pytest.mark.parametrize(
    ("identities", "expected", "why"),
    [
        ([7, 7, 7], 7, "pure"),
        ([7, 7, 3], 7, "majority"),
        ([7, -1], 7, "half is enough"),
        ([7, -1, -1], -1, "mostly false positives"),
        ([1, 2, 3], -1, "nobody has half"),
        ([-1, -1], -1, "a false positive"),
    ],
)
def test_a_tracklet_belongs_to_whom_half_of_it_shows(identities: list[int], expected: int, why: str) -> None:
    node_of = np.zeros(len(identities), np.int64)
    assert tracklet_identities(node_of, np.array(identities)).tolist() == [expected], why


def test_identities_of_many_tracklets_at_once() -> None:
    node_of = np.array([2, 0, 2, 1, -1, 2])
    identity = np.array([5, 4, 5, -1, 9, 6])
    assert tracklet_identities(node_of, identity).tolist() == [4, -1, 5]


def test_only_the_nearest_in_time_is_positive() -> None:
    candidates = random_candidates(0, people=1, frames=30, clutter=0)
    scene = Scene.of(candidates.take(np.arange(4)))
    nodes = build_tracklets(scene, np.arange(4))
    edge = np.array([[0, 0, 0, 1, 1, 2], [1, 2, 3, 2, 3, 3]])
    same = np.array([0, 0, 0, 0])
    assert edge_targets(nodes, same, edge).tolist() == [True, False, False, True, False, True]
    two = np.array([0, 1, 0, 1])
    assert edge_targets(nodes, two, edge).tolist() == [False, True, False, False, True, False]
    nobody = np.full(4, -1)
    assert not edge_targets(nodes, nobody, edge).any()
    pruned = edge[:, 1:]  # 0 → 1 is not there, so 2 is the nearest that 0 can reach
    assert edge_targets(nodes, same, pruned).tolist() == [True, False, True, False, True]
