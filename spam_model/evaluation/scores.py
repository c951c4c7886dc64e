"""HOTA, CLEAR and identity metrics of labels against ground truth, computed by TrackEval's metric classes.

J. Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking, IJCV 2020. Here only files and
preprocessing are our own; the numbers equal those of TrackEval's MOTChallenge pipeline.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from trackeval.metrics import CLEAR, HOTA, Identity

from spam_model.evaluation.preprocessing import metric_data
from spam_model.values import GroundTruth, Labels

Result = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Scores:
    """HOTA, DetA, AssA, LocA (means over the thresholds 0.05 … 0.95), MOTA, IDF1 in percent; counts of errors."""

    hota: float
    deta: float
    assa: float
    loca: float
    mota: float
    idf1: float
    idsw: int
    fp: int
    fn: int

    def as_dict(self) -> dict[str, float]:
        """Under the names of the field."""
        names = {"hota": "HOTA", "deta": "DetA", "assa": "AssA", "loca": "LocA"}
        return {names.get(key, key.upper()): value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Evaluation:
    """Scores of each sequence, by name, and over the detections of all of them."""

    sequences: dict[str, Scores]
    combined: Scores

    def as_dict(self) -> dict[str, Any]:
        return {
            "sequences": {name: scores.as_dict() for name, scores in self.sequences.items()},
            "combined": self.combined.as_dict(),
        }


def evaluate(truth: GroundTruth, labels: Labels) -> Scores:
    """Scores of one sequence."""
    return _scores(measure(truth, labels))


def evaluate_many(pairs: dict[str, tuple[GroundTruth, Labels]]) -> Evaluation:
    """Scores of each sequence and of all together, as TrackEval combines them.

    Raises:
        ValueError: there is no sequence.
    """
    return combine({name: measure(truth, labels) for name, (truth, labels) in pairs.items()})


def measure(truth: GroundTruth, labels: Labels) -> Result:
    """TrackEval's result of one sequence, by metric: what ``combine`` needs, wherever it was measured."""
    data = metric_data(truth, labels)
    return {metric.get_name(): metric.eval_sequence(data) for metric in _metrics()}


def combine(results: dict[str, Result]) -> Evaluation:
    """Scores of each sequence and of all together, from what ``measure`` gave.

    Raises:
        ValueError: there is no sequence.
    """
    if not results:
        raise ValueError("nothing to evaluate")
    combined = {
        metric.get_name(): metric.combine_sequences(
            {name: result[metric.get_name()] for name, result in results.items()}
        )
        for metric in _metrics()
    }
    return Evaluation({name: _scores(result) for name, result in results.items()}, _scores(combined))


def _metrics() -> tuple[Any, ...]:
    quiet = {"PRINT_CONFIG": False}
    return HOTA(), CLEAR(dict(quiet)), Identity(dict(quiet))


def _scores(result: Result) -> Scores:
    hota, clear, identity = result["HOTA"], result["CLEAR"], result["Identity"]
    return Scores(
        hota=100 * float(np.mean(hota["HOTA"])),
        deta=100 * float(np.mean(hota["DetA"])),
        assa=100 * float(np.mean(hota["AssA"])),
        loca=100 * float(np.mean(hota["LocA"])),
        mota=100 * float(clear["MOTA"]),
        idf1=100 * float(identity["IDF1"]),
        idsw=int(clear["IDSW"]),
        fp=int(clear["CLR_FP"]),
        fn=int(clear["CLR_FN"]),
    )
