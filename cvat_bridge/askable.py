"""Questions that can be put to people here: a frame that was deleted from the task is shown to nobody."""

from __future__ import annotations

from collections.abc import Iterator

from spam_model.active.session import Session
from spam_model.active.strategies import Strategy
from spam_model.values import LabelResult, Query, QueryKind


class OnShownFrames:
    """A strategy without rectangles on ``deleted`` frames; where frames are deleted, every track has a gap."""

    def __init__(self, strategy: Strategy, deleted: frozenset[int]) -> None:
        self.name = strategy.name
        self._strategy = strategy
        self._deleted = deleted

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        for query in self._strategy.rank(result, session):
            if query.kind is not QueryKind.LOCALIZATION or query.subject[0].frame not in self._deleted:
                yield query
