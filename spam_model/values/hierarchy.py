"""What the graph hierarchy decided, level by level, with calibrated probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy.special import entr

from spam_model.values.candidates import BoolArray, FloatArray, IntArray

_Array = TypeVar("_Array", IntArray, FloatArray, BoolArray)


def binary_entropy(probability: FloatArray) -> FloatArray:
    """H(p) in nats, Eq. 1 of the SPAM paper; 0 at p = 0 and p = 1."""
    p = np.asarray(probability, dtype=np.float64)
    return np.asarray(entr(p) + entr(1 - p))


def node_ends(node_of: IntArray) -> tuple[IntArray, IntArray]:
    """Rows of the first and of the last candidate of each node; candidates are sorted by frame. [N] -> [V], [V]."""
    rows = np.flatnonzero(node_of >= 0)
    count = int(node_of.max(initial=-1)) + 1
    first, last = np.zeros((2, count), np.int64)
    first[node_of[rows[::-1]]] = rows[::-1]  # of several values for one place the last one stays
    last[node_of[rows]] = rows
    return first, last


@dataclass(frozen=True)
class Level:
    """One association level over clips of ``clip_length`` frames.

    Attributes:
        index: 1 for the first association level.
        clip_length: frames in a clip of this level.
        node_of: [N] int64, the node (candidate or tracklet) that each candidate belongs to on entering the
            level, -1 where it is rejected.
        edge: [2, E] int64, past node and future node of each hypothesis.
        probability: [E] float64, calibrated probability that the edge joins one object.
        chosen: [E] bool, joined by the matching.
    """

    index: int
    clip_length: int
    node_of: IntArray
    edge: IntArray
    probability: FloatArray
    chosen: BoolArray

    def node_uncertainty(self) -> FloatArray:
        """u(v) = max over neighbours of H(ŷ(v, u)), Sec. 3.3 of the SPAM paper. [V]."""
        count = int(self.node_of.max(initial=-1)) + 1
        result = np.zeros(count)
        entropy = binary_entropy(self.probability)
        for side in (0, 1):
            np.maximum.at(result, self.edge[side], entropy)
        return result


@dataclass(frozen=True)
class Hierarchy:
    """Node level and association levels of one run.

    ``node_probability`` is [N]: calibrated probability that a candidate is a valid object; ``kept`` is [N]: what
    was decided, constraints included. ``track_of`` is [N]: the final track of each candidate, -1 for none.
    """

    node_probability: FloatArray
    kept: BoolArray
    levels: tuple[Level, ...]
    track_of: IntArray

    def link_probability(self) -> FloatArray:
        """Of the chosen link that leads on from each candidate, 1 where there is none. [N]."""
        result = np.ones(len(self.track_of))
        for level in self.levels:
            _, last = node_ends(level.node_of)
            result[last[level.edge[0, level.chosen]]] = level.probability[level.chosen]
        return result

    def at_rows(self, rows: IntArray, count: int) -> Hierarchy:
        """The same over ``count`` candidates, of which ``rows`` are those that it is of; the others are in nothing."""

        def spread(values: _Array, fill: float) -> _Array:
            result = np.full_like(values, fill, shape=count)
            result[rows] = values
            return result

        return Hierarchy(
            node_probability=spread(self.node_probability, 0.0),
            kept=spread(self.kept, False),
            levels=tuple(replace(level, node_of=spread(level.node_of, -1)) for level in self.levels),
            track_of=spread(self.track_of, -1),
        )
