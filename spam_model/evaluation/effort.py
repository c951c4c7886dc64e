"""Label quality against clicks: the loop with an oracle annotator, scored after each round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from spam_model.active.loop import Label, Round, run_rounds
from spam_model.active.oracle import Oracle
from spam_model.active.session import Session
from spam_model.active.strategies import create_strategy
from spam_model.evaluation.scores import Scores, evaluate
from spam_model.values import Candidates, GroundTruth, Ledger, full_effort


@dataclass(frozen=True)
class EffortRow:
    """Scores after one round. ``effort`` is clicks over the clicks of labelling the ground truth by hand."""

    sequence: str
    strategy: str
    budget: float
    round: int
    clicks: int
    effort: float
    scores: Scores
    label_seconds: float
    ask_seconds: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self) | {"scores": self.scores.as_dict()}


def truth_effort(truth: GroundTruth) -> int:
    """Clicks of labelling this ground truth by hand, distractors left out."""
    objects = ~truth.ignored
    return full_effort(int(objects.sum()), len(np.unique(truth.track[objects])))


def effort_rows(
    candidates: Candidates,
    truth: GroundTruth,
    label: Label,
    strategy: str,
    budget: float,
    *,
    rounds: int = 3,
    error_rate: float = 0.0,
    seed: int = 0,
) -> Iterator[EffortRow]:
    """One row per round, round 0 without a click, the last one with the budget spent."""
    session = Session(ledger=Ledger.for_fraction(truth_effort(truth), budget), rounds=rounds)
    oracle = Oracle(candidates, truth, error_rate, seed)
    for done in run_rounds(candidates, label, create_strategy(strategy), oracle, session):
        yield _row(done, truth, strategy, budget)


def _row(done: Round, truth: GroundTruth, strategy: str, budget: float) -> EffortRow:
    ledger = done.session.ledger
    return EffortRow(
        sequence=truth.info.name,
        strategy=strategy,
        budget=budget,
        round=done.number,
        clicks=ledger.spent,
        effort=ledger.effort,
        scores=evaluate(truth, done.result.labels),
        label_seconds=done.label_seconds,
        ask_seconds=done.ask_seconds,
    )
