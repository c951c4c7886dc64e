"""What the networks should say: from the identities of simulated candidates to labels of nodes and edges."""

from __future__ import annotations

import numpy as np

from spam_model.graph.states import HEAD, TAIL, Tracklets
from spam_model.values.candidates import BoolArray, IntArray


def tracklet_identities(node_of: IntArray, identity: IntArray) -> IntArray:
    """The identity of at least half of a tracklet's candidates, else -1. [N], [N] -> [V]."""
    count = int(node_of.max(initial=-1)) + 1
    valid = node_of >= 0
    length = np.bincount(node_of[valid], minlength=count)
    named = valid & (identity >= 0)
    pairs, votes = np.unique(np.stack([node_of[named], identity[named]]), axis=1, return_counts=True)
    order = np.argsort(votes, kind="stable")  # the last one written, the majority, stays
    result, most = np.full(count, -1, np.int64), np.zeros(count, np.int64)
    result[pairs[0, order]], most[pairs[0, order]] = pairs[1, order], votes[order]
    result[2 * most < length] = -1
    return result


def edge_targets(nodes: Tracklets, identity: IntArray, edge: IntArray) -> BoolArray:
    """Positive: one identity, and nearest in time, future or past, among the edges of that identity. [E].

    Args:
        identity: [V] of each node, -1 for none.
        edge: [2, E].
    """
    past, future = edge
    same = (identity[past] >= 0) & (identity[past] == identity[future])
    head, tail = nodes.frame[future, HEAD], nodes.frame[past, TAIL]
    soonest = np.full(len(nodes), np.iinfo(np.int64).max)
    latest = np.full(len(nodes), np.iinfo(np.int64).min)
    np.minimum.at(soonest, past[same], head[same])
    np.maximum.at(latest, future[same], tail[same])
    return np.asarray(same & ((head == soonest[past]) | (tail == latest[future])))
