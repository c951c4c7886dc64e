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
from spam_model.values.candidates import FloatArray, IntArray

logger = logging.getLogger(__name__)

NEIGHBOURS = 10
_REACH = np.array([0.45, 0.45])  # heights at Δt = 0, x and y
_SPEED = np.array([3.0, 0.9])  # heights per second
_LONGEST_FLIGHT = 3.0  # s, beyond it the reach grows no more
_LOG_SIZE = 0.8  # largest |log height ratio|
_BLOCK = 2_000_000  # pairs held at a time


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
    blocks = [_gate(scene, nodes, rule, first, second) for first, second in _search(scene, nodes, rule)]
    edge = np.concatenate([np.zeros((2, 0), np.int64), *blocks], axis=1)
    cost = edge_cost(scene, nodes, edge)
    mutual = (rank_within(edge[0], cost) < NEIGHBOURS) & (rank_within(edge[1], cost) < NEIGHBOURS)
    edge, cost = edge[:, mutual], cost[mutual]
    if edge.shape[1] > max_edges:
        logger.warning(
            "%d association hypotheses in clips of %d frames, the cheapest %d are kept; "
            "a higher score threshold for the candidates avoids this",
            edge.shape[1],
            rule.clip_length,
            max_edges,
        )
        edge = edge[:, np.argsort(cost, kind="stable")[:max_edges]]
    return edge[:, np.lexsort((edge[1], edge[0]))]


def edge_cost(scene: Scene, nodes: Tracklets, edge: IntArray) -> FloatArray:
    """For pruning and ranking: the best of displacement and predictions to mid-gap, size, appearance. [E]."""
    past, future = edge
    height = pair_height(nodes, edge)
    gap = np.maximum(nodes.frame[future, HEAD] - nodes.frame[past, TAIL], 0) / scene.frame_rate
    jump = nodes.geometry[future, HEAD] - nodes.geometry[past, TAIL]  # [E, 4]
    residual = mid_gap_residual(nodes, edge, gap)  # [E, windows, 4]
    distances = [np.hypot(jump[:, 0], jump[:, 1]), *np.hypot(residual[..., 0], residual[..., 1]).T]
    motion = np.minimum.reduce(distances) / height / (0.1 + gap)
    quantile, _ = appearance(scene, nodes, edge)
    return np.asarray(np.log(0.05 + motion) + 2.0 * np.abs(residual[:, 0, 2]) + quantile)


def pair_height(nodes: Tracklets, edge: IntArray) -> FloatArray:
    """Geometric mean height at the two ends that face each other, px. [E]."""
    return np.asarray(np.exp((nodes.geometry[edge[0], TAIL, 2] + nodes.geometry[edge[1], HEAD, 2]) / 2))


def mid_gap_residual(nodes: Tracklets, edge: IntArray, gap: FloatArray) -> FloatArray:
    """Both ends moved to the middle of the gap (s), their difference; sizes are not extrapolated. [E, windows, 4]."""
    past, future = edge
    step = np.where(np.arange(4) < 2, gap[:, None] / 2, 0.0)[:, None]  # [E, 1, 4]
    ahead = nodes.position[past, TAIL] + nodes.velocity[past, TAIL] * step
    behind = nodes.position[future, HEAD] - nodes.velocity[future, HEAD] * step
    return np.asarray(behind - ahead)


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
    order = np.lexsort((cost, group))
    ordered = group[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(starts, np.diff(starts, append=len(group)))
    return rank


def _search(scene: Scene, nodes: Tracklets, rule: LevelRule) -> Iterator[tuple[IntArray, IntArray]]:
    """Blocks of pairs close in time bucket and x: a superset of what the gate lets through."""
    if len(nodes) < 2:
        return
    bucket_length = min(rule.clip_length, rule.longest_gap)
    whole_clips = bucket_length == rule.clip_length
    classes = int(nodes.class_id.max()) + 1
    reach = np.minimum(bucket_length / scene.frame_rate, _LONGEST_FLIGHT) * _SPEED[0] + _REACH[0]
    radius = reach * np.exp(nodes.geometry[:, TAIL, 2] + _LOG_SIZE / 2)  # h of the pair is at most h_past e^0.4

    def key_group(frame: IntArray, offset: int) -> IntArray:
        return np.asarray((frame // bucket_length + offset) * classes + nodes.class_id)

    group = key_group(nodes.frame[:, HEAD], 0)
    x = nodes.geometry[:, HEAD, 0]
    low = min(x.min(), (nodes.geometry[:, TAIL, 0] - radius).min())
    span = max(x.max(), (nodes.geometry[:, TAIL, 0] + radius).max()) - low + 1.0
    key = group * span + (x - low)
    order = np.argsort(key, kind="stable")
    centre = nodes.geometry[:, TAIL, 0] - low
    for offset in (0,) if whole_clips else (-1, 0, 1):
        base = key_group(nodes.frame[:, TAIL], offset) * span + centre
        begin, end = np.searchsorted(key[order], [base - radius, base + radius])
        total = np.cumsum(end - begin)
        for rows in np.split(np.arange(len(nodes)), np.searchsorted(total, np.arange(_BLOCK, total[-1], _BLOCK))):
            count = end[rows] - begin[rows]
            first = np.repeat(rows, count)
            within = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
            yield first, order[np.repeat(begin[rows], count) + within]


def _gate(scene: Scene, nodes: Tracklets, rule: LevelRule, past: IntArray, future: IntArray) -> IntArray:
    """The pairs that pass, [2, E]."""
    frames = nodes.frame[future, HEAD] - nodes.frame[past, TAIL]
    keep = (frames > -rule.overlap) & (frames <= rule.longest_gap) & (past != future)
    keep &= nodes.frame[past, HEAD] // rule.clip_length == nodes.frame[future, TAIL] // rule.clip_length
    if rule.overlap:  # an overlap of two tails, not one tracklet beside the other
        keep &= nodes.frame[future, HEAD] > nodes.frame[past, HEAD]
        keep &= nodes.frame[future, TAIL] > nodes.frame[past, TAIL]
    past, future, frames = past[keep], future[keep], frames[keep]
    jump = np.abs(nodes.geometry[future, HEAD] - nodes.geometry[past, TAIL])  # [E, 4]
    flight = np.clip(frames / scene.frame_rate, 0.0, _LONGEST_FLIGHT)[:, None]
    height = pair_height(nodes, np.stack([past, future]))[:, None]
    near = (jump[:, :2] <= (_REACH + _SPEED * flight) * height).all(axis=1) & (jump[:, 2] <= _LOG_SIZE)
    return np.stack([past[near], future[near]])
