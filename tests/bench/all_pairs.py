"""The vectorised reference of the gate: all pairs of nodes at once as matrices, the same conditions, then pruning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np

from spam_model.graph import hierarchy, node_level
from spam_model.graph.gating import LevelRule, edge_cost
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, TAIL, Tracklets
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

BEST = 10
ROWS = 256  # past nodes at a time, so that the matrices fit into memory


def all_pairs(scene: Scene, nodes: Tracklets, rule: LevelRule) -> IntArray:
    """What ``propose_edges`` gives, without its search: [2, E], sorted by past node, then future node."""
    blocks = [_block(scene, nodes, rule, slice(at, at + ROWS)) for at in range(0, len(nodes), ROWS)]
    edge = np.concatenate([np.zeros((2, 0), np.int64), *blocks], axis=1)
    cost = edge_cost(scene, nodes, edge)
    return edge[:, _best(edge[0], cost, len(nodes)) & _best(edge[1], cost, len(nodes))]


@contextmanager
def in_force() -> Iterator[None]:
    """The hierarchy forms all pairs."""
    with (
        mock.patch.object(hierarchy, "propose_edges", all_pairs),
        mock.patch.object(node_level, "propose_edges", all_pairs),
    ):
        yield


def _block(scene: Scene, nodes: Tracklets, rule: LevelRule, past: slice) -> IntArray:
    """The pairs of some past nodes with all nodes that pass, [2, E]."""
    head, tail = nodes.frame[:, HEAD], nodes.frame[:, TAIL]
    frames = head[None, :] - tail[past, None]  # [P, V]
    keep = (frames > -rule.overlap) & (frames <= rule.longest_gap)
    keep &= nodes.class_id[past, None] == nodes.class_id[None, :]
    keep &= head[past, None] // rule.clip_length == tail[None, :] // rule.clip_length
    if rule.overlap:
        keep &= (head[None, :] > head[past, None]) & (tail[None, :] > tail[past, None])
    keep[np.arange(keep.shape[0]), np.arange(keep.shape[0]) + past.start] = False
    jump = np.abs(nodes.geometry[None, :, HEAD] - nodes.geometry[past, None, TAIL])  # [P, V, 4]
    flight = np.clip(frames / scene.frame_rate, 0.0, 3.0)
    height = np.exp((nodes.geometry[past, None, TAIL, 2] + nodes.geometry[None, :, HEAD, 2]) / 2)
    keep &= jump[..., 0] <= (0.45 + 3.0 * flight) * height
    keep &= jump[..., 1] <= (0.45 + 0.9 * flight) * height
    keep &= jump[..., 2] <= 0.8
    first, second = np.nonzero(keep)
    return np.stack([first + past.start, second])


def _best(node: IntArray, cost: FloatArray, count: int) -> BoolArray:
    """Whether an edge is among the ten cheapest of its node. [E], [E] -> [E]."""
    order = np.lexsort((cost, node))
    first = np.searchsorted(node[order], np.arange(count))
    result = np.empty(len(node), bool)
    result[order] = np.arange(len(node)) - first[node[order]] < BEST
    return result
