"""The paper's acquisition (SPAM, Sec. 3.3): per level, the nodes of highest entropy; the budget split over levels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, zip_longest

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.active.questions.outgoing import NodeMembers, association_query, outgoing_links
from spam_model.values import LabelResult, Level, Query, QueryKind, binary_entropy


class HierarchicalEntropy:
    """``spam``: u(v) = max_u H(ŷ(v, u)), at the node level H(ŷ(v)); levels take turns, an equal split of the budget.

    One round asks about all levels at once, because a round trip to people per level would cost days; answers act on
    every level of the next run.
    """

    name = "spam"

    def rank(self, result: LabelResult) -> Iterator[Query]:
        per_level = [self._node_level(result), *(self._level(result, level) for level in result.hierarchy.levels)]
        return (query for query in chain.from_iterable(zip_longest(*per_level)) if query is not None)

    def _node_level(self, result: LabelResult) -> Iterator[Query]:
        entropy = binary_entropy(result.hierarchy.node_probability)
        for row in np.argsort(-entropy, kind="stable"):
            yield Query(
                kind=QueryKind.DETECTION,
                level=0,
                subject=anchors_of(result.candidates, np.array([row])),
                uncertainty=float(entropy[row]),
                value=float(entropy[row]),
            )

    def _level(self, result: LabelResult, level: Level) -> Iterator[Query]:
        members = NodeMembers(level)
        for links in sorted(outgoing_links(level), key=lambda links: -links.uncertainty):
            yield association_query(
                result.candidates,
                level,
                links,
                members,
                boxes_decided=len(members[links.node]),
                value=links.uncertainty,
            )
