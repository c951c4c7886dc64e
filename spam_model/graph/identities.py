"""Which tracklets are known to be one object, and which must never become one: constraints in force at every level.

A disjoint-set forest over candidate rows. Must-links are joined at the start; every link that the matching chooses is
joined as well, and only if the two sets hold no cannot-link and no frame in which both have a box that is valid by a
person's word. So whatever the network says, the sets stay consistent, and the last pass can unite each of them.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spam_model.graph.constraints import ResolvedConstraints
from spam_model.graph.states import HEAD, TAIL
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

LIKELY = 0.5  # probability from which the matching takes a link


def direct_links(edge: IntArray, must: BoolArray, probability: FloatArray, frame: IntArray) -> BoolArray:
    """Demanded links between tracklets that follow each other directly, as far as the network can tell. [E] -> [E].

    People say that two tracklets are one object, not that it was nowhere in between. Where the network sees a likely
    tracklet in between, at either end, the link must not take the place of the one that leads there: it is left to a
    later level, or to the last pass.

    Args:
        must: [E], edges that people demand.
        probability: [E], of the network.
        frame: [V, 2], first and last frame of each node.
    """
    direct = must.copy()
    past, future = edge
    touching = np.isin(past, past[must]) | np.isin(future, future[must])
    likely = np.flatnonzero(touching & ~must & (probability >= LIKELY))
    for index in np.flatnonzero(must):
        out = future[likely[past[likely] == past[index]]]
        into = past[likely[future[likely] == future[index]]]
        before_partner = frame[out, TAIL] < frame[future[index], HEAD]
        after_start = frame[into, HEAD] > frame[past[index], TAIL]
        direct[index] = not (before_partner.any() or after_start.any())
    return direct


class Identities:
    """Mutable state of one run of the hierarchy."""

    def __init__(self, constraints: ResolvedConstraints, frame: IntArray) -> None:
        self.fixed = constraints.fixed
        self._must_rows = np.unique(constraints.must)
        self._parent = list(range(len(frame)))
        self._frames: dict[int, set[int]] = defaultdict(set)  # root -> frames with a fixed box
        self._enemies: dict[int, set[int]] = defaultdict(set)  # root -> rows of other objects
        for row in np.flatnonzero(constraints.fixed):
            self._frames[int(row)].add(int(frame[row]))
        for a, b in constraints.cannot.tolist():
            self._enemies[a].add(b)
            self._enemies[b].add(a)
        self._labelled = constraints.fixed.copy()
        self._labelled[constraints.cannot.ravel()] = True
        for a, b in constraints.must.tolist():
            self._unite(a, b)

    def representatives(self, node_of: IntArray) -> tuple[IntArray, BoolArray]:
        """One row of each node, a labelled one (named in a constraint) if there is any; and whether it is. [V], [V]."""
        rows = np.flatnonzero(node_of >= 0)
        order = np.lexsort((rows, ~self._labelled[rows], node_of[rows]))
        _, first = np.unique(node_of[rows[order]], return_index=True)
        representative = rows[order][first]
        return representative, self._labelled[representative]

    def must_edges(self, node_of: IntArray, frame: IntArray, clip_length: int) -> IntArray:
        """Links between nodes of one object and one clip, consecutive in time and apart in time. [2, M].

        Args:
            node_of: [N] node of each row, -1 for none.
            frame: [V, 2] first and last frame of each node.
        """
        rows = self._must_rows
        if len(rows) == 0:
            return np.zeros((2, 0), np.int64)
        node, unique = np.unique(node_of[rows], return_index=True)
        root = np.array([self._find(row) for row in rows[unique].tolist()], np.int64)
        inside = frame[node, HEAD] // clip_length == frame[node, TAIL] // clip_length
        node, root = node[inside], root[inside]
        clip = frame[node, HEAD] // clip_length
        order = np.lexsort((node, frame[node, HEAD], clip, root))
        node, root, clip = node[order], root[order], clip[order]
        follows = (root[1:] == root[:-1]) & (clip[1:] == clip[:-1])
        follows &= frame[node[1:], HEAD] > frame[node[:-1], TAIL]
        return np.stack([node[:-1][follows], node[1:][follows]])

    def clamp(
        self, edge: IntArray, must: BoolArray, probability: FloatArray, representative: IntArray, labelled: BoolArray
    ) -> FloatArray:
        """Chosen by a person = 1; its rivals at either end, and what a person or a frame forbids = 0. [E] -> [E]."""
        clamped = probability.copy()
        past, future = edge
        clamped[np.isin(past, past[must]) | np.isin(future, future[must])] = 0.0
        for index in np.flatnonzero(labelled[past] & labelled[future] & ~must):
            if not self._may_join(int(representative[past[index]]), int(representative[future[index]])):
                clamped[index] = 0.0
        clamped[must] = 1.0
        return clamped

    def join(
        self,
        edge: IntArray,
        chosen: BoolArray,
        must: BoolArray,
        probability: FloatArray,
        representative: IntArray,
        labelled: BoolArray,
    ) -> BoolArray:
        """Takes the chosen links into the sets, surest first, and drops those that would break a constraint. [E]."""
        kept = chosen.copy()
        past, future = edge[:, chosen]
        count = len(representative)
        links = coo_array((np.ones(len(past), bool), (past, future)), shape=(count, count))
        _, chain = connected_components(links, directed=False)
        crowded = np.bincount(chain, weights=labelled) >= 2  # chains in which constraints meet
        index = np.flatnonzero(chosen)
        index = index[crowded[chain[past]]]
        for i in index[np.lexsort((index, -probability[index], ~must[index]))].tolist():
            a, b = int(representative[edge[0, i]]), int(representative[edge[1, i]])
            if self._may_join(a, b):
                self._unite(a, b)
            else:
                kept[i] = False
        return kept

    def unite_tracks(self, node_of: IntArray) -> IntArray:
        """Gives all nodes of one object one number: the last pass over the whole video, at any distance. [N] -> [N]."""
        result = node_of.copy()
        number = np.arange(int(node_of.max(initial=-1)) + 1)
        first: dict[int, int] = {}
        for row in self._must_rows.tolist():
            node = int(node_of[row])
            number[node] = first.setdefault(self._find(row), node)
        valid = node_of >= 0
        result[valid] = number[node_of[valid]]
        return result

    def _find(self, row: int) -> int:
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def _may_join(self, a: int, b: int) -> bool:
        a, b = self._find(a), self._find(b)
        if a == b:
            return True
        few, many = (a, b) if len(self._enemies.get(a, ())) <= len(self._enemies.get(b, ())) else (b, a)
        if any(self._find(enemy) == many for enemy in self._enemies.get(few, ())):
            return False
        return self._frames.get(a, set()).isdisjoint(self._frames.get(b, set()))

    def _unite(self, a: int, b: int) -> None:
        a, b = self._find(a), self._find(b)
        if a == b:
            return
        if len(self._frames.get(a, ())) + len(self._enemies.get(a, ())) < len(self._frames.get(b, ())) + len(
            self._enemies.get(b, ())
        ):
            a, b = b, a
        self._parent[b] = a
        self._frames[a] |= self._frames.pop(b, set())
        self._enemies[a] |= self._enemies.pop(b, set())
