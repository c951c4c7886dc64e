"""Label quality against clicks: the loop with an oracle annotator, scored after each round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from spam_model.active.loop import Label, Round, run_rounds
from spam_model.active.oracle import Oracle
from spam_model.active.registry import StrategySettings, create_strategy
from spam_model.active.session import Session
from spam_model.evaluation.scores import Scores, evaluate
from spam_model.values import Candidates, GroundTruth, Ledger, full_effort


@dataclass(frozen=True)
class EffortRow:
    """Scores after one round of ``rounds``. ``effort`` is clicks over those of labelling the truth by hand."""

    sequence: str
    strategy: str
    budget: float
    rounds: int
    error_rate: float
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
    settings: StrategySettings | None = None,
) -> Iterator[EffortRow]:
    """One row per round, round 0 without a click, the last one with the budget spent.

    Args:
        error_rate: share of choices that the annotator gets wrong, drawn with ``seed``.
        settings: of the strategy.
    """
    session = Session(ledger=Ledger.for_fraction(truth_effort(truth), budget), rounds=rounds)
    oracle = Oracle(candidates, truth, error_rate, seed)
    ranking = create_strategy(strategy, settings or StrategySettings(seed=seed))
    for done in run_rounds(candidates, label, ranking, oracle, session):
        yield _row(done, truth, strategy, budget, error_rate)


def _row(done: Round, truth: GroundTruth, strategy: str, budget: float, error_rate: float) -> EffortRow:
    ledger = done.session.ledger
    return EffortRow(
        sequence=truth.info.name,
        strategy=strategy,
        budget=budget,
        rounds=done.session.rounds,
        error_rate=error_rate,
        round=done.number,
        clicks=ledger.spent,
        effort=ledger.effort,
        scores=evaluate(truth, done.result.labels),
        label_seconds=done.label_seconds,
        ask_seconds=done.ask_seconds,
    )
