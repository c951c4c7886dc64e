"""Rounding: which hypotheses become links, at most one into and one out of every node."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from spam_model.values.candidates import BoolArray, FloatArray, IntArray


def match(edge: IntArray, probability: FloatArray) -> BoolArray:
    """The maximum-weight set of edges, weights 2ŷ − 1, in which each node has at most one past and one future link.

    Out-ends and in-ends of the nodes are the two sides of a bipartite graph. An edge that is alone at both its ends is
    chosen at once; the others are solved exactly by a sparse shortest-augmenting-path matching in which every out-end
    may also stay single.

    Args:
        edge: [2, E] past and future node, no edge twice.
        probability: [E].

    Returns:
        [E] bool; never an edge of probability ≤ 0.5.
    """
    chosen = np.zeros(len(probability), bool)
    useful = np.flatnonzero(probability > 0.5)
    past, future = edge[:, useful]
    out_degree, in_degree = np.bincount(past), np.bincount(future)
    alone = (out_degree[past] == 1) & (in_degree[future] == 1)
    chosen[useful[alone]] = True
    rest = useful[~alone]
    if len(rest):
        chosen[rest] = _solve(edge[:, rest], 2.0 * probability[rest] - 1.0)
    return chosen


def _solve(edge: IntArray, weight: FloatArray) -> BoolArray:
    """Exact matching of the contested edges. A row's column V + row means that it stays single."""
    rows, row = np.unique(edge[0], return_inverse=True)
    columns, column = np.unique(edge[1], return_inverse=True)
    single = np.arange(len(rows))
    # Every row takes exactly one column, so adding 2 to every cost changes nothing but keeps them above zero.
    cost = csr_array(
        (
            np.concatenate([2.0 - weight, np.full(len(rows), 2.0)]),
            (np.concatenate([row, single]), np.concatenate([column, len(columns) + single])),
        ),
        shape=(len(rows), len(columns) + len(rows)),
    )
    taken = np.empty(len(rows), np.int64)
    matched_row, matched_column = min_weight_full_bipartite_matching(cost)
    taken[matched_row] = matched_column
    return np.asarray(taken[row] == column)
