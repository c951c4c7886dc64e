"""Is the learned node level better than the detector's score? Precision of both at equal recall, and their curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.evaluation.matching import IGNORED
from spam_model.training.node_check import NodeCheck, check_nodes
from spam_model.values import Candidates, Hierarchy
from spam_model.values.candidates import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Curve:
    """``recall`` and ``precision`` [K], keeping the 1, 2, 3 … highest values."""

    recall: FloatArray
    precision: FloatArray


@dataclass(frozen=True)
class NodeQuality:
    """Of one sequence: precision at equal recall, and both curves."""

    sequence: str
    checks: tuple[NodeCheck, ...]
    by_score: Curve
    learned: Curve


def node_quality(candidates: Candidates, hierarchy: Hierarchy, identity: IntArray) -> NodeQuality:
    """Candidates on distractors are left out. ``identity``: [N], ``NO_OBJECT`` or ``IGNORED``."""
    counts = identity != IGNORED
    score, probability, truth = candidates.score[counts], hierarchy.node_probability[counts], identity[counts] >= 0
    return NodeQuality(
        sequence=candidates.info.name,
        checks=check_nodes(score, probability, truth),
        by_score=_curve(score, truth),
        learned=_curve(probability, truth),
    )


def _curve(value: FloatArray, truth: BoolArray) -> Curve:
    hits = np.cumsum(truth[np.argsort(-value, kind="stable")])
    return Curve(recall=hits / max(int(truth.sum()), 1), precision=hits / np.arange(1, len(hits) + 1))
