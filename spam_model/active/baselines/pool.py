"""The questions that all schemes of the paper choose from: every box, and the next occurrence of every node.

A scheme gives each question a score and takes the highest. An edge is asked about once, at its past end: both ends
share its uncertainty.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.active.questions.outgoing import NodeMembers, OutgoingLinks, association_query
from spam_model.values import LabelResult, Level, Query, QueryKind, binary_entropy, node_ends
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

_T = TypeVar("_T")


@dataclass(frozen=True)
class PerDecision:
    """One number for every decision of a run, a probability or a score.

    ``node`` is [N], one per candidate; ``edges`` holds [E] for each association level, in the order of its edges.
    """

    node: FloatArray
    edges: tuple[FloatArray, ...]

    @classmethod
    def probabilities(cls, result: LabelResult) -> PerDecision:
        """Those of the run itself, answers in force."""
        return cls(result.hierarchy.node_probability, tuple(level.probability for level in result.hierarchy.levels))

    def map(self, function: Callable[[FloatArray], FloatArray]) -> PerDecision:
        return PerDecision(function(self.node), tuple(function(edge) for edge in self.edges))


class QuestionPool:
    """Q questions as arrays: first one per candidate, then, level by level, one per node with an out-edge.

    Attributes:
        level: [Q] 0 for a box, else the index of the association level.
        row: [Q] the candidate asked about: the box itself, or the last box of the node.
        frame: [Q] its frame.
        node: [Q] the node asked about; the row itself for a box.
        open: [Q] bool, whether the answer is still to be had: people have settled neither the box nor all the links.
        entropy: [Q] of the decision, in nats: u(v) of the SPAM paper.
    """

    def __init__(self, result: LabelResult) -> None:
        self._result = result
        self._links = tuple(_Links(level) for level in result.hierarchy.levels)
        boxes = np.arange(len(result.candidates))
        self._starts = np.cumsum([0, len(boxes), *(len(links.node) for links in self._links)])
        self.level = np.repeat(np.arange(len(self._links) + 1), np.diff(self._starts))
        self.row = np.concatenate([boxes, *(links.last_row for links in self._links)])
        self.node = np.concatenate([boxes, *(links.node for links in self._links)])
        self.frame = result.candidates.frame[self.row]
        probability = PerDecision.probabilities(result)
        self._undecided = probability.map(lambda p: ((p > 0) & (p < 1)).astype(np.float64))
        self.open = self.highest(probability.map(np.ones_like)) > 0
        self.entropy = self.highest(probability.map(binary_entropy))

    def __len__(self) -> int:
        return len(self.level)

    def highest(self, score: PerDecision) -> FloatArray:
        """A box's score; of a node, the highest score among its out-edges. What people settled scores 0. [Q]."""
        left = self._undecided
        links = (
            part.highest(edge * undecided)
            for part, edge, undecided in zip(self._links, score.edges, left.edges, strict=True)
        )
        return np.concatenate([score.node * left.node, *links])

    def without_hierarchy(self) -> BoolArray:
        """The boxes, and of each box the links out of it at the lowest level that has any. [Q]."""
        links = np.flatnonzero(self.level > 0)
        _, first = np.unique(self.row[links], return_index=True)  # levels ascend
        result = self.level == 0
        result[links[first]] = True
        return np.asarray(result)

    def ranked(self, score: FloatArray) -> Iterator[Query]:
        """The open questions of a positive score, the highest first; of the same words, the first. [Q]."""
        order = np.lexsort((self.frame, -score))
        order = order[self.open[order] & (score[order] > 0)]
        return once((self.query(position, score[position]) for position in order.tolist()), key=lambda query: query.id)

    def query(self, position: int, score: float) -> Query:
        """The question at this position, with its score as its value."""
        level = int(self.level[position])
        if level > 0:
            return self._links[level - 1].query(self._result, position - int(self._starts[level]), float(score))
        return Query(
            kind=QueryKind.DETECTION,
            level=0,
            subject=anchors_of(self._result.candidates, self.row[[position]]),
            uncertainty=float(self.entropy[position]),
            value=float(score),
        )


class _Links:
    """The out-edges of one level's nodes, grouped by node, the most probable first."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._order = np.lexsort((-level.probability, level.edge[0]))
        self._members = NodeMembers(level)
        past = level.edge[0, self._order]
        self._start = np.flatnonzero(np.diff(past, prepend=-1))
        self._end = np.append(self._start[1:], len(past))
        self.node: IntArray = past[self._start]
        _, last = node_ends(level.node_of)
        self.last_row: IntArray = last[self.node]

    def highest(self, score: FloatArray) -> FloatArray:
        return np.maximum.reduceat(score[self._order], self._start) if len(self.node) else np.zeros(0)

    def query(self, result: LabelResult, position: int, score: float) -> Query:
        edges = self._order[self._start[position] : self._end[position]]
        chosen = np.flatnonzero(self._level.chosen[edges])
        links = OutgoingLinks(
            node=int(self.node[position]),
            future=self._level.edge[1, edges],
            probability=self._level.probability[edges],
            chosen=int(chosen[0]) if len(chosen) else -1,
        )
        boxes = len(self._members[links.node])
        return association_query(result.candidates, self._level, links, self._members, boxes_decided=boxes, value=score)


def once(items: Iterable[_T], key: Callable[[_T], Hashable]) -> Iterator[_T]:
    """The first item of each key."""
    seen: set[Hashable] = set()
    for item in items:
        this = key(item)
        if this not in seen:
            seen.add(this)
            yield item


def share_out(parts: Sequence[Iterable[_T]], weight: FloatArray, key: Callable[[_T], Hashable]) -> Iterator[_T]:
    """Merges rankings so that every beginning of the result holds its share of each part (Sainte-Laguë's method).

    The (k + 1)-th item of a part is due at (k + ½) / weight. An item whose key came before is passed over and does not
    count. A part that runs out leaves its share to the others; parts of weight 0 come after all the others.

    Args:
        weight: [len(parts)], not negative.
    """
    seen: set[Hashable] = set()
    heap = [(0.5 / w if w > 0 else np.inf, 0, part) for part, w in enumerate(weight.tolist())]
    heapq.heapify(heap)
    iterators = [iter(part) for part in parts]
    while heap:
        _, count, part = heapq.heappop(heap)
        item = next((item for item in iterators[part] if key(item) not in seen), None)
        if item is None:
            continue
        seen.add(key(item))
        yield item
        w = float(weight[part])
        heapq.heappush(heap, ((count + 1.5) / w if w > 0 else np.inf, count + 1, part))
