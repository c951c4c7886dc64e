"""The labelling loop against an annotator that answers at once: experiments, benchmarks and the demo's reference."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from spam_model.active.session import Session
from spam_model.active.strategies import Strategy, select
from spam_model.values import Answer, Candidates, Constraints, LabelResult, Query

Label = Callable[[Candidates, Constraints], LabelResult]


class Annotator(Protocol):
    def answer(self, query: Query) -> Answer: ...


@dataclass(frozen=True)
class Round:
    """The labels after ``number`` rounds of questions (0: none asked), and the state that led to them.

    ``label_seconds`` is what the model took, ``ask_seconds`` what choosing the next questions and answering took.
    """

    number: int
    session: Session
    result: LabelResult
    label_seconds: float
    ask_seconds: float


def run_rounds(
    candidates: Candidates, label: Label, strategy: Strategy, annotator: Annotator, session: Session
) -> Iterator[Round]:
    """Labels, asks, takes the answers in, labels again; until the rounds, the budget or the questions run out."""
    ask_seconds = 0.0
    while True:
        started = time.perf_counter()
        result = label(candidates, session.constraints)
        label_seconds = time.perf_counter() - started
        yield Round(session.round, session, result, label_seconds, ask_seconds)
        started = time.perf_counter()
        queries = select(strategy, result, session)
        if not queries:
            return
        session = session.ask(queries)
        session = session.tell(tuple(annotator.answer(query) for query in queries))
        ask_seconds = time.perf_counter() - started
