"""Coreset acquisition: the questions that cover the clip best, whatever the model is unsure of.

Sener and Savarese, Active Learning for Convolutional Neural Networks: A Core-Set Approach, ICLR 2018 (k-center greedy).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from spam_model.active.baselines.pool import QuestionPool, once
from spam_model.active.session import Session
from spam_model.graph.features import node_features
from spam_model.graph.scene import Scene
from spam_model.graph.states import build_tracklets
from spam_model.values import LabelResult, Query
from spam_model.values.candidates import FloatArray, IntArray


class Coreset:
    """k-center greedy over what the graph sees of the nodes in question; what people settled is covered already."""

    name = "coreset"

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        pool = QuestionPool(result)
        feature = standardised(pool_features(result, pool))
        unasked = np.flatnonzero(pool.open)
        centres = k_center_greedy(feature[unasked], feature[~pool.open])
        queries = (pool.query(int(unasked[position]), distance) for position, distance in centres)
        return once(queries, key=lambda query: query.id)


def k_center_greedy(feature: FloatArray, covered: FloatArray) -> Iterator[tuple[int, float]]:
    """Takes, again and again, the point farthest from all centres: O(N) time a step, O(N) memory.

    Args:
        feature: [N, F] points to choose from.
        covered: [C, F] centres to begin with; with none, the point nearest to the mean is the first.

    Yields:
        Position and distance to the nearest centre before it, which never grows; the first of all has the largest.
        Ends when all that is left lies on a centre.
    """
    if len(feature) == 0:
        return
    if len(covered):
        distance = cKDTree(covered).query(feature)[0]
    else:
        first = int(np.argmin(_distance(feature, feature.mean(axis=0))))
        distance = _distance(feature, feature[first])
        yield first, float(distance.max())
    while (farthest := float(distance.max())) > 0:
        position = int(np.argmax(distance))
        distance = np.minimum(distance, _distance(feature, feature[position]))
        yield position, farthest


def pool_features(result: LabelResult, pool: QuestionPool) -> FloatArray:
    """The graph's node features of each node in question; a box is a tracklet in a clip of one frame. [Q, F]."""
    scene = Scene.of(result.candidates)
    nodes: list[tuple[IntArray, int]] = [(np.arange(len(scene)), 1)]
    nodes += [(level.node_of, level.clip_length) for level in result.hierarchy.levels]
    return np.concatenate(
        [
            node_features(scene, build_tracklets(scene, node_of).take(pool.node[pool.level == level]), clip_length)
            for level, (node_of, clip_length) in enumerate(nodes)
        ]
    ).astype(np.float64)


def standardised(feature: FloatArray) -> FloatArray:
    """Zero mean and unit variance per column; a constant column becomes 0. [Q, F] -> [Q, F]."""
    if len(feature) == 0:
        return feature
    spread = feature.std(axis=0)
    return np.asarray((feature - feature.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _distance(feature: FloatArray, centre: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(feature - centre, axis=1))
