"""The outgoing links of a level's nodes, and the question "which is the next occurrence?" about one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.values import OPTION_LETTERS, Candidates, Level, Query, QueryKind, binary_entropy
from spam_model.values.candidates import FloatArray, IntArray

CONTEXT_BOXES = 60  # of a tracklet, on either side of the link in question


@dataclass(frozen=True)
class OutgoingLinks:
    """The out-edges of one node, the most probable first.

    Attributes:
        node: the past node.
        future: [K] future nodes.
        probability: [K], descending.
        chosen: position of the edge that the matching chose, -1 for none.
    """

    node: int
    future: IntArray
    probability: FloatArray
    chosen: int

    @property
    def error_probability(self) -> float:
        """1 − P(the decision taken is right), edges taken as independent."""
        if self.chosen >= 0:
            return float(1 - self.probability[self.chosen])
        return float(1 - np.prod(1 - self.probability))

    @property
    def uncertainty(self) -> float:
        """max H(ŷ) over the edges, in nats."""
        return float(binary_entropy(self.probability).max())


def outgoing_links(level: Level) -> Iterator[OutgoingLinks]:
    """Groups a level's edges by their past node."""
    if level.edge.shape[1] == 0:
        return
    order = np.lexsort((-level.probability, level.edge[0]))
    past, future = level.edge[:, order]
    starts = np.flatnonzero(np.diff(past, prepend=-1))
    for first, last in zip(starts, np.append(starts[1:], len(past)), strict=True):
        rows = order[first:last]
        chosen = np.flatnonzero(level.chosen[rows])
        yield OutgoingLinks(
            node=int(past[first]),
            future=future[first:last],
            probability=level.probability[rows],
            chosen=int(chosen[0]) if len(chosen) else -1,
        )


class NodeMembers:
    """Rows of the candidates in each node of a level, in time order."""

    def __init__(self, level: Level) -> None:
        self._order = np.argsort(level.node_of, kind="stable")  # candidates are sorted by frame
        self._sorted = level.node_of[self._order]

    def __getitem__(self, node: int) -> IntArray:
        first, last = np.searchsorted(self._sorted, [node, node + 1])
        return np.asarray(self._order[first:last])


def association_query(
    candidates: Candidates,
    level: Level,
    links: OutgoingLinks,
    members: NodeMembers,
    *,
    boxes_decided: int,
    value: float,
    expected: str = "",
) -> Query:
    """The question about a node's next occurrence, the chosen and the most probable partners as options."""
    positions = list(range(min(len(links.future), len(OPTION_LETTERS))))
    if links.chosen >= len(OPTION_LETTERS):
        positions[-1] = links.chosen
    return Query(
        kind=QueryKind.ASSOCIATION,
        level=level.index,
        subject=anchors_of(candidates, members[links.node][-CONTEXT_BOXES:]),
        options=tuple(
            anchors_of(candidates, members[int(links.future[position])][:CONTEXT_BOXES]) for position in positions
        ),
        uncertainty=links.uncertainty,
        boxes_decided=boxes_decided,
        value=value,
        expected=expected,
    )
