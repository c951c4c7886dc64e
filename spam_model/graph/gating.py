"""Which pairs of tracklets are worth scoring: gate by reach and speed, then keep each node's ten best, mutually.

Pairs are found by binary search in positions sorted within time buckets, so that the pairs of a whole clip are never
formed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, TAIL, Tracklets
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

logger = logging.getLogger(__name__)

NEIGHBOURS = 10
_REACH = np.array([0.45, 0.45])  # heights at Δt = 0, x and y
_SPEED = np.array([3.0, 0.9])  # heights per second
_LONGEST_FLIGHT = 3.0  # s, beyond it the reach grows no more
_LOG_SIZE = 0.8  # largest |log height ratio|
_BUCKETS = 8  # of time, over the longest gap
_BLOCK = 100_000  # pairs held at a time, few enough to stay in the cache


@dataclass(frozen=True)
class LevelRule:
    """Time limits of a level, in frames.

    Two tracklets may be joined if both lie in one clip of ``clip_length`` frames, and the second starts at most
    ``longest_gap`` frames after the first ends; ``overlap`` frames before it, at most.
    """

    clip_length: int
    longest_gap: int
    overlap: int = 0


def propose_edges(scene: Scene, nodes: Tracklets, rule: LevelRule, max_edges: int = 400_000) -> IntArray:
    """Candidate edges (past, future) of a level, [2, E] int64, sorted by past node, then future node.

    An edge has one class, keeps to ``rule``, and its displacement between the last and the first box, camera motion
    taken out, stays within 0.45 h + 3 h Δt in x and 0.45 h + 0.9 h Δt in y. Of these, an edge stays if it is among the
    ten cheapest of both its nodes (reciprocal top-k).

    Args:
        max_edges: the cheapest edges are kept, with a warning, where there are more.
    """
    gate = _Gate(scene, nodes, rule)
    pairs = [gate.passing(past, future) for past, future in _search(scene, nodes, rule)]
    edge = sorted_edges(np.concatenate([np.zeros((2, 0), np.int64), *pairs], axis=1), len(nodes))
    edge = edge[:, _among_the_cheapest(scene, nodes, edge)]
    if edge.shape[1] > max_edges:
        logger.warning(
            "%d association hypotheses in clips of %d frames, the cheapest %d are kept; "
            "a higher score threshold for the candidates avoids this",
            edge.shape[1],
            rule.clip_length,
            max_edges,
        )
        cost = edge_cost(scene, nodes, edge)
        edge = edge[:, np.sort(np.argsort(cost, kind="stable")[:max_edges])]
    return edge


def sorted_edges(edge: IntArray, count: int) -> IntArray:
    """By past node, then future node; nodes 0 … count - 1. [2, E] -> [2, E]."""
    return np.stack(np.divmod(np.sort(edge[0] * count + edge[1]), max(count, 1)))


def _among_the_cheapest(scene: Scene, nodes: Tracklets, edge: IntArray) -> BoolArray:
    """Which edges are among the ten cheapest of both their nodes. [E]."""
    crowded = [np.bincount(side, minlength=1)[side] > NEIGHBOURS for side in edge]  # the others need no rank
    kept = np.ones(edge.shape[1], bool)
    contested = np.flatnonzero(crowded[0] | crowded[1])
    cost = np.zeros(len(kept))
    cost[contested] = edge_cost(scene, nodes, edge[:, contested])
    for side, many in zip(edge, crowded, strict=True):
        rows = np.flatnonzero(many)
        kept[rows] &= rank_within(side[rows], cost[rows]) < NEIGHBOURS
    return kept


def edge_cost(scene: Scene, nodes: Tracklets, edge: IntArray) -> FloatArray:
    """For pruning and ranking: the best of displacement and predictions to mid-gap, size, appearance. [E]."""
    past, future = edge
    height = pair_height(nodes, edge)
    gap = np.maximum(nodes.frame[future, HEAD] - nodes.frame[past, TAIL], 0) / scene.frame_rate
    jump = facing(nodes.geometry, future, HEAD) - facing(nodes.geometry, past, TAIL)  # [E, 4]
    residual = mid_gap_residual(nodes, edge, gap)  # [E, windows, 4]
    distance = np.hypot(jump[:, 0], jump[:, 1])
    for k in range(residual.shape[1]):
        np.minimum(distance, np.hypot(residual[:, k, 0], residual[:, k, 1]), out=distance)
    quantile, _ = appearance(scene, nodes, edge)
    return np.asarray(np.log(0.05 + distance / height / (0.1 + gap)) + 2.0 * np.abs(residual[:, 0, 2]) + quantile)


def facing(states: FloatArray, node: IntArray, end: int) -> FloatArray:
    """The states [V, 2, …] of these nodes at this end. [E] -> [E, …]."""
    return np.take(states[:, end], node, axis=0)  # several times faster than states[node, end]


def pair_height(nodes: Tracklets, edge: IntArray) -> FloatArray:
    """Geometric mean height at the two ends that face each other, px. [E]."""
    half = np.exp(nodes.geometry[:, :, 2] / 2)  # [V, 2]
    return np.asarray(np.take(half[:, TAIL], edge[0]) * np.take(half[:, HEAD], edge[1]))


def mid_gap_residual(nodes: Tracklets, edge: IntArray, gap: FloatArray) -> FloatArray:
    """Both ends moved to the middle of the gap (s), their difference; sizes are not extrapolated. [E, windows, 4]."""
    past, future = edge
    step = np.where(np.arange(4) < 2, gap[:, None] / 2, 0.0)[:, None]  # [E, 1, 4]
    speeds = facing(nodes.velocity, past, TAIL) + facing(nodes.velocity, future, HEAD)
    return np.asarray(facing(nodes.position, future, HEAD) - facing(nodes.position, past, TAIL) - speeds * step)


def appearance(scene: Scene, nodes: Tracklets, edge: IntArray) -> tuple[FloatArray, FloatArray]:
    """Quantile of the appearance distance, and 1 where both nodes have an appearance (else 0, 0). [E], [E]."""
    if nodes.embedding.shape[1] == 0 or len(scene.appearance_scale) == 0:
        return np.zeros(edge.shape[1]), np.zeros(edge.shape[1])
    has = np.linalg.norm(nodes.embedding, axis=1) > 0
    known = has[edge[0]] & has[edge[1]]
    similarity = np.einsum("ed,ed->e", nodes.embedding[edge[0]], nodes.embedding[edge[1]])
    return np.where(known, scene.appearance_quantile(1.0 - similarity), 0.0), known.astype(np.float64)


def rank_within(group: IntArray, cost: FloatArray) -> IntArray:
    """Position of each item among those of its group, the cheapest 0; ties by order. [E] -> [E]."""
    count = len(group)
    by_cost = np.argsort(cost, kind="stable")
    order = by_cost[np.sort(group[by_cost] * count + np.arange(count)) % max(count, 1)]  # by group, then cost
    ordered = group[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count) - np.repeat(starts, np.diff(starts, append=count))
    return rank


def _search(scene: Scene, nodes: Tracklets, rule: LevelRule) -> Iterator[tuple[IntArray, IntArray]]:
    """Blocks of pairs close in time and x: a superset of what the gate lets through.

    Heads are sorted by bucket of time, class and x. For each lag in buckets there is a longest gap, hence a reach, and
    the heads within it of a tail are neighbours in that order.
    """
    if len(nodes) < 2:
        return
    span = min(rule.clip_length, rule.longest_gap)
    step = max(1, span // _BUCKETS)  # frames
    head, tail = nodes.frame[:, HEAD], nodes.frame[:, TAIL]
    x_head, x_tail = nodes.geometry[:, HEAD, 0], nodes.geometry[:, TAIL, 0]
    height = np.exp(nodes.geometry[:, TAIL, 2] + _LOG_SIZE / 2)  # h of the pair is at most h_past e^0.4
    classes = int(nodes.class_id.max()) + 1
    farthest = (_REACH[0] + _SPEED[0] * min(span / scene.frame_rate, _LONGEST_FLIGHT)) * height
    low = min(x_head.min(), (x_tail - farthest).min())
    width = max(x_head.max(), (x_tail + farthest).max()) - low + 1.0

    key = (head // step * classes + nodes.class_id) * width + (x_head - low)
    order = np.argsort(key, kind="stable")
    key = key[order]
    base = (tail // step * classes + nodes.class_id) * width + (x_tail - low)
    near_in_memory = np.argsort(base, kind="stable")
    clip_start = tail // rule.clip_length * rule.clip_length
    for lag in range((1 - rule.overlap) // step, (span - 1) // step + 2):
        gap = min((lag + 1) * step - 1, span) / scene.frame_rate
        radius = (_REACH[0] + _SPEED[0] * min(max(gap, 0.0), _LONGEST_FLIGHT)) * height
        begins = (tail // step + lag) * step  # of the bucket
        in_clip = (begins < clip_start + rule.clip_length) & (begins + step > clip_start)
        past = near_in_memory[in_clip[near_in_memory]]
        middle = base[past] + lag * classes * width
        begin, end = np.searchsorted(key, middle - radius[past]), np.searchsorted(key, middle + radius[past])
        total = np.cumsum(end - begin)
        cuts = np.searchsorted(total, np.arange(_BLOCK, total[-1] if len(total) else 0, _BLOCK))
        for rows in np.split(np.arange(len(past)), cuts):
            count = end[rows] - begin[rows]
            within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
            yield np.repeat(past[rows], count), order[np.repeat(begin[rows], count) + within]


class _Gate:
    """What lets a pair pass, its numbers laid out by column: the pairs are many."""

    def __init__(self, scene: Scene, nodes: Tracklets, rule: LevelRule) -> None:
        self._rule = rule
        self._flight = np.clip(np.arange(rule.longest_gap + 1) / scene.frame_rate, 0.0, _LONGEST_FLIGHT)  # s
        self._first, self._last = nodes.frame.T.copy()
        self._head, self._tail = (nodes.geometry[:, end, :3].T.copy() for end in (HEAD, TAIL))  # [3, V]
        self._half = np.exp(nodes.geometry[:, :, 2].T / 2)  # [2, V] roots of the heights

    def passing(self, past: IntArray, future: IntArray) -> IntArray:
        """The pairs that pass, [2, E]."""
        rule, first, last = self._rule, self._first, self._last
        frames = first[future] - last[past]
        keep = (frames > -rule.overlap) & (frames <= rule.longest_gap)
        if rule.overlap:  # an overlap of two tails, not one tracklet beside the other
            keep &= (first[future] > first[past]) & (last[future] > last[past])
        past, future, frames = past[keep], future[keep], frames[keep]
        height = self._half[TAIL, past] * self._half[HEAD, future]
        flight = self._flight[np.maximum(frames, 0)]
        near = np.abs(self._head[0, future] - self._tail[0, past]) <= (_REACH[0] + _SPEED[0] * flight) * height
        near &= np.abs(self._head[1, future] - self._tail[1, past]) <= (_REACH[1] + _SPEED[1] * flight) * height
        near &= np.abs(self._head[2, future] - self._tail[2, past]) <= _LOG_SIZE
        near &= first[past] // rule.clip_length == last[future] // rule.clip_length
        return np.stack([past[near], future[near]])
