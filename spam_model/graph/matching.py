"""Rounding: which hypotheses become links, at most one into and one out of every node."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from spam_model.values.candidates import BoolArray, FloatArray, IntArray

_AT_ONCE = 500  # edges


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
    for part in _parts(edge[:, rest]):
        contested = rest[part]
        chosen[contested] = _solve(edge[:, contested], 2.0 * probability[contested] - 1.0)
    return chosen


def _parts(edge: IntArray) -> list[IntArray]:
    """The edges in groups that share no node end, a few hundred each where they fall apart into as few. [2, E].

    The solver's time grows with the square of what it is given at once.
    """
    if edge.shape[1] == 0:
        return []
    row, column = (np.unique(side, return_inverse=True)[1] for side in edge)
    rows, columns = int(row.max()) + 1, int(column.max()) + 1
    sides = coo_array((np.ones(len(row), bool), (row, rows + column)), shape=(rows + columns, rows + columns))
    _, component = connected_components(sides, directed=False)
    order = np.argsort(component[row], kind="stable")
    starts = np.flatnonzero(np.diff(component[row][order], prepend=-1))
    cuts = starts[np.flatnonzero(np.diff(starts // _AT_ONCE, prepend=0))]
    return np.split(order, cuts)


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
