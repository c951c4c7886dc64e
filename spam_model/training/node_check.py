"""Does the learned node level beat the detector's score? Precision of both at equal recall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.values.candidates import BoolArray, FloatArray

RECALLS = (0.8, 0.9, 0.95, 0.98)


@dataclass(frozen=True)
class NodeCheck:
    """Precision of what is kept by the detector's score, and by the learned probability, at one recall."""

    recall: float
    by_score: float
    learned: float


def check_nodes(score: FloatArray, probability: FloatArray, truth: BoolArray) -> tuple[NodeCheck, ...]:
    """[N], [N], [N] bool: one row for each recall in ``RECALLS``; none without a valid candidate."""
    if not truth.any():
        return ()
    return tuple(
        NodeCheck(recall, precision_at_recall(score, truth, recall), precision_at_recall(probability, truth, recall))
        for recall in RECALLS
    )


def precision_at_recall(value: FloatArray, truth: BoolArray, recall: float) -> float:
    """Precision of the highest values, as many as it takes to hold ``recall`` of what is true."""
    hits = np.cumsum(truth[np.argsort(-value, kind="stable")])
    kept = int(np.searchsorted(hits, recall * hits[-1] - 1e-9)) + 1
    return float(hits[kept - 1] / kept)
