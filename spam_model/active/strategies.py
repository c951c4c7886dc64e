"""Acquisition: which questions to ask, given what the hierarchy is unsure of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from spam_model.active.error_per_click import ErrorPerClick
from spam_model.active.hierarchical_entropy import HierarchicalEntropy
from spam_model.active.session import Session
from spam_model.errors import InputError
from spam_model.values import CLICKS, LabelResult, Query, QueryKind


class Strategy(Protocol):
    """Ranks the questions that could be asked about a result."""

    name: str

    def rank(self, result: LabelResult) -> Iterable[Query]:
        """Questions in the order in which they should be asked."""
        ...


STRATEGIES: dict[str, type[Strategy]] = {
    ErrorPerClick.name: ErrorPerClick,
    HierarchicalEntropy.name: HierarchicalEntropy,
}
DEFAULT_STRATEGY = ErrorPerClick.name
LEAST_VALUE = 1e-9  # the entropy of what people have settled, p = 0 or 1, is not exactly 0


def create_strategy(name: str) -> Strategy:
    """
    Raises:
        InputError: no strategy of this name.
    """
    if name not in STRATEGIES:
        raise InputError(f"no strategy is called {name!r}; there are: {', '.join(STRATEGIES)}")
    return STRATEGIES[name]()


def worth_asking(strategy: Strategy, result: LabelResult) -> Iterator[Query]:
    """The strategy's questions without those whose answer is known."""
    return (query for query in strategy.rank(result) if query.value > LEAST_VALUE)


def select(strategy: Strategy, result: LabelResult, session: Session) -> tuple[Query, ...]:
    """The questions of the next round: the best ones not asked yet that this round's clicks pay for.

    No candidate is the subject of two questions of one kind in a round: the answer to the first may settle the second.
    Rectangles on boxes that may turn out to be no object in this round come last, if clicks are left.
    """
    return tuple(_affordable(worth_asking(strategy, result), session))


def _affordable(ranked: Iterable[Query], session: Session) -> Iterator[Query]:
    clicks = session.clicks_this_round
    asked: dict[QueryKind, set[int]] = {kind: set() for kind in QueryKind}
    put_off: list[Query] = []
    for query in ranked:
        if clicks <= 0:
            return
        subject = {anchor.candidate_id for anchor in query.subject}
        if query.clicks > clicks or asked[query.kind] & subject or session.is_settled(query):
            continue
        asked[query.kind] |= subject
        if query.kind is QueryKind.LOCALIZATION and asked[QueryKind.DETECTION] & subject:
            put_off.append(query)
            continue
        clicks -= query.clicks
        yield query
    yield from put_off[: clicks // CLICKS[QueryKind.LOCALIZATION]]
