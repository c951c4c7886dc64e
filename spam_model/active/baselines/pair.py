"""Two schemes side by side, as in the paper's Fig. 5: one chooses the boxes, the other the links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from spam_model.active.baselines.pool import share_out
from spam_model.active.session import Session
from spam_model.active.strategies import Strategy
from spam_model.values import LabelResult, Query, QueryKind


class Pair:
    """``detection/association``: the box questions of one scheme and the link questions of another, taking turns."""

    def __init__(self, detection: Strategy, association: Strategy) -> None:
        self.name = f"{detection.name}/{association.name}"
        self._detection = detection
        self._association = association

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        boxes = _of_kind(QueryKind.DETECTION, self._detection.rank(result))
        links = _of_kind(QueryKind.ASSOCIATION, self._association.rank(result))
        return share_out([boxes, links], np.ones(2), key=lambda query: query.id)


def _of_kind(kind: QueryKind, queries: Iterable[Query]) -> Iterator[Query]:
    return (query for query in queries if query.kind is kind)
