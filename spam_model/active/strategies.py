"""Acquisition: which questions to ask, given what the hierarchy is unsure of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Protocol

from spam_model.active.session import Session
from spam_model.values import CLICKS, LabelResult, Query, QueryKind, Topic


class Strategy(Protocol):
    """Ranks the questions that could be asked about a result."""

    name: str

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterable[Query]:
        """Questions in the order in which they should be asked."""
        ...


LEAST_VALUE = 1e-9  # the entropy of what people have settled, p = 0 or 1, is not exactly 0


def worth_asking(strategy: Strategy, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
    """The strategy's questions without those whose answer is known."""
    again = sorted(session.doubtful, key=lambda query: -query.value) if session else []
    ranked = (query for query in strategy.rank(result, session) if query.value > LEAST_VALUE)
    return chain(again, ranked)


def select(strategy: Strategy, result: LabelResult, session: Session) -> tuple[Query, ...]:
    """The questions of the next round: the best ones not asked yet that this round's clicks pay for.

    No candidate is the subject of two questions of one kind in a round: the answer to the first may settle the second.
    Rectangles on boxes that may turn out to be no object in this round come last, if clicks are left.
    """
    return tuple(_affordable(worth_asking(strategy, result, session), session))


def _affordable(ranked: Iterable[Query], session: Session) -> Iterator[Query]:
    clicks = session.clicks_this_round
    asked: dict[QueryKind, set[int]] = {kind: set() for kind in QueryKind}
    offered: set[int] = set()  # candidates that a link question may make valid
    put_off: list[Query] = []
    for query in ranked:
        if clicks <= 0:
            return
        subject = {anchor.candidate_id for anchor in query.subject}
        if query.clicks > clicks or asked[query.kind] & subject or session.is_settled(query):
            continue
        if query.topic is Topic.MISSED and offered & subject:
            continue
        asked[query.kind] |= subject
        offered |= {anchor.candidate_id for option in query.options for anchor in option}
        if query.kind is QueryKind.LOCALIZATION and asked[QueryKind.DETECTION] & subject:
            put_off.append(query)
            continue
        clicks -= query.clicks
        yield query
    yield from put_off[: clicks // CLICKS[QueryKind.LOCALIZATION]]
