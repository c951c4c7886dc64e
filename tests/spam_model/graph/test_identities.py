from __future__ import annotations

import numpy as np
import pytest

from spam_model.graph.identities import direct_links


@pytest.mark.parametrize(
    ("probability", "direct"),
    [(0.9, False), (0.2, True)],
    ids=["a likely tracklet in between", "nothing likely in between"],
)
def test_a_demanded_link_gives_way_to_what_the_network_sees_in_between(probability: float, direct: bool) -> None:
    frame = np.array([[0, 9], [20, 29], [40, 49]])
    edge = np.array([[0, 0, 1], [1, 2, 2]])  # 0 → 1 → 2 and, demanded, 0 → 2
    must = np.array([False, True, False])
    assert direct_links(edge, must, np.array([probability, 0.1, probability]), frame).tolist() == [False, direct, False]


def test_a_demanded_link_takes_the_place_of_a_likely_rival_at_the_same_time() -> None:
    frame = np.array([[0, 9], [10, 29], [10, 35]])
    edge = np.array([[0, 0], [1, 2]])
    assert direct_links(edge, np.array([False, True]), np.array([0.99, 0.1]), frame).tolist() == [False, True]
