"""Several ways to get tracks, on the same sequences, in one table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from spam_model.evaluation.contenders import Contender
from spam_model.evaluation.scores import Result, combine, measure
from spam_model.values import Candidates, GroundTruth

MEAN, COMBINED = "mean", "combined"


@dataclass(frozen=True)
class Measured:
    """One contender on one sequence."""

    result: Result
    frames_per_second: float


@dataclass(frozen=True)
class ContestRow:
    """Mean scores of a contender, and their standard deviation over its ``seeds`` runs (0 for one run).

    ``sequence`` is a sequence, ``MEAN`` over the sequences, or ``COMBINED`` over the boxes of all of them.
    """

    sequence: str
    contender: str
    seeds: int
    scores: dict[str, float]
    spread: dict[str, float]
    frames_per_second: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def compete(contender: Contender, candidates: Candidates, truth: GroundTruth) -> Measured:
    """Tracks and scores of one sequence."""
    started = time.perf_counter()
    labels = contender.labels(candidates, truth)
    seconds = time.perf_counter() - started
    return Measured(measure(truth, labels), candidates.info.frame_count / seconds)


def contest_rows(contender: str, runs: Sequence[Mapping[str, Measured]]) -> list[ContestRow]:
    """A row for each sequence; mean and combined behind them where there are several.

    Args:
        runs: what was measured, by sequence; a mapping for each seed.
    """
    evaluations = [combine({name: one.result for name, one in run.items()}) for run in runs]
    sequences = list(runs[0])
    by_place: dict[str, list[dict[str, float]]] = {
        name: [evaluation.sequences[name].as_dict() for evaluation in evaluations] for name in sequences
    }
    speed = {name: float(np.mean([run[name].frames_per_second for run in runs])) for name in sequences}
    if len(sequences) > 1:
        by_place[MEAN] = [
            mean_scores([evaluation.sequences[name].as_dict() for name in sequences]) for evaluation in evaluations
        ]
        by_place[COMBINED] = [evaluation.combined.as_dict() for evaluation in evaluations]
        speed[MEAN] = speed[COMBINED] = float(np.mean([speed[name] for name in sequences]))
    return [
        ContestRow(place, contender, len(runs), mean_scores(scores), _spread(scores), speed[place])
        for place, scores in by_place.items()
    ]


def mean_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each score."""
    return {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}


def _spread(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    if len(scores) == 1:
        return dict.fromkeys(scores[0], 0.0)
    return {name: float(np.std([one[name] for one in scores], ddof=1)) for name in scores[0]}
