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
from spam_model.values.candidates import BoolArray, FloatArray, IntArray


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
            self.unite(a, b)

    def representatives(self, node_of: IntArray) -> tuple[IntArray, BoolArray]:
        """One row of each node, a labelled one (named in a constraint) if there is any; and whether it is. [V], [V]."""
        rows = np.flatnonzero(node_of >= 0)
        order = np.lexsort((rows, ~self._labelled[rows], node_of[rows]))
        _, first = np.unique(node_of[rows[order]], return_index=True)
        representative = rows[order][first]
        return representative, self._labelled[representative]

    def clamp(
        self, edge: IntArray, must: BoolArray, probability: FloatArray, representative: IntArray, labelled: BoolArray
    ) -> FloatArray:
        """Chosen by a person = 1; its rivals at either end, and what a person or a frame forbids = 0. [E] -> [E]."""
        clamped = probability.copy()
        past, future = edge
        clamped[np.isin(past, past[must]) | np.isin(future, future[must])] = 0.0
        for index in np.flatnonzero(labelled[past] & labelled[future] & ~must):
            if not self.may_join(int(representative[past[index]]), int(representative[future[index]])):
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
            if self.may_join(a, b):
                self.unite(a, b)
            else:
                kept[i] = False
        return kept

    def groups(self) -> list[list[int]]:
        """Rows that people said to be one object, each group in time order."""
        members: dict[int, list[int]] = defaultdict(list)
        for row in self._must_rows.tolist():  # candidates are sorted by frame
            members[self.find(row)].append(row)
        return list(members.values())

    def same(self, a: int, b: int) -> bool:
        return self.find(a) == self.find(b)

    @property
    def labelled(self) -> BoolArray:
        """[N]: named in a constraint."""
        return self._labelled

    @property
    def labelled_rows(self) -> IntArray:
        return np.flatnonzero(self._labelled)

    def label(self, row: int) -> None:
        self._labelled[row] = True

    def lone_rows(self, node_of: IntArray) -> list[int]:
        """Accepted rows whose node holds nothing else."""
        size = np.bincount(node_of[node_of >= 0], minlength=1)
        return [row for row in np.flatnonzero(self.fixed).tolist() if node_of[row] >= 0 and size[node_of[row]] == 1]

    def find(self, row: int) -> int:
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def may_join(self, a: int, b: int) -> bool:
        a, b = self.find(a), self.find(b)
        if a == b:
            return True
        few, many = (a, b) if len(self._enemies.get(a, ())) <= len(self._enemies.get(b, ())) else (b, a)
        if any(self.find(enemy) == many for enemy in self._enemies.get(few, ())):
            return False
        return self._frames.get(a, set()).isdisjoint(self._frames.get(b, set()))

    def unite(self, a: int, b: int) -> None:
        a, b = self.find(a), self.find(b)
        if a == b:
            return
        if len(self._frames.get(a, ())) + len(self._enemies.get(a, ())) < len(self._frames.get(b, ())) + len(
            self._enemies.get(b, ())
        ):
            a, b = b, a
        self._parent[b] = a
        self._frames[a] |= self._frames.pop(b, set())
        self._enemies[a] |= self._enemies.pop(b, set())
