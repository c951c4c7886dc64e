"""Do probabilities mean what they say? The expected calibration error, overall and over the decisions in doubt.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, Eq. 3. Most edges of a graph are plainly wrong or
plainly right, and a model that is sure of them has a small error whatever it says of the rest. So the error is also
taken over the decisions with 0.05 < p < 0.95 alone, which are those that questions are chosen by.

Of few decisions the error is large by chance alone: a share of 15 bins is never what it should be. So what perfect
probabilities would have comes beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spam_model.values.candidates import BoolArray, FloatArray

BINS = 15
IN_DOUBT = (0.05, 0.95)
CHANCE_DRAWS = 50
FEWEST_IN_DOUBT = 200  # decisions in doubt, below which levels are pooled

Decisions = tuple[FloatArray, BoolArray]  # probability [K] and truth [K] of K decisions


@dataclass(frozen=True)
class CalibrationRow:
    """Error of one level, or of several that have too few decisions in doubt to tell them apart.

    Attributes:
        levels: 0 is the node level.
        count, error: all decisions, and their expected calibration error.
        doubtful_count, doubtful_error: those with 0.05 < p < 0.95.
        doubtful_by_chance: the error that as many would have if their probabilities were perfect.
    """

    levels: tuple[int, ...]
    count: int
    error: float
    doubtful_count: int
    doubtful_error: float
    doubtful_by_chance: float


def expected_calibration_error(probability: FloatArray, truth: BoolArray, bins: int = BINS) -> float:
    """Σ_b (K_b / K) |mean truth − mean probability| over bins of equal width; 0 without a decision. [K], [K]."""
    if len(truth) == 0:
        return 0.0
    bin_of = np.minimum((probability * bins).astype(np.int64), bins - 1)
    gap = np.bincount(bin_of, weights=truth.astype(np.float64) - probability, minlength=bins)
    return float(np.abs(gap).sum() / len(truth))


def error_by_chance(probability: FloatArray, bins: int = BINS) -> float:
    """Mean calibration error of decisions that come true with just these probabilities. [K]."""
    rng = np.random.default_rng(0)
    draws = (rng.random(len(probability)) < probability for _ in range(CHANCE_DRAWS))
    return float(np.mean([expected_calibration_error(probability, truth, bins) for truth in draws]))


def in_doubt(probability: FloatArray) -> BoolArray:
    """Which decisions are neither plainly yes nor plainly no. [K] -> [K]."""
    return np.asarray((probability > IN_DOUBT[0]) & (probability < IN_DOUBT[1]))


def calibration_rows(decisions: Mapping[int, Decisions], fewest: int = FEWEST_IN_DOUBT) -> tuple[CalibrationRow, ...]:
    """A row for each level, ascending; those with under ``fewest`` decisions in doubt share the last row."""
    count = {level: int(in_doubt(probability).sum()) for level, (probability, _) in decisions.items()}
    groups = [(level,) for level in sorted(decisions) if count[level] >= fewest]
    few = tuple(level for level in sorted(decisions) if count[level] < fewest)
    return tuple(_row(levels, decisions) for levels in [*groups, few] if levels)


def pooled(decisions: Mapping[int, Decisions], levels: tuple[int, ...]) -> Decisions:
    """The decisions of several levels as those of one."""
    return (
        np.concatenate([decisions[level][0] for level in levels]),
        np.concatenate([decisions[level][1] for level in levels]),
    )


def _row(levels: tuple[int, ...], decisions: Mapping[int, Decisions]) -> CalibrationRow:
    probability, truth = pooled(decisions, levels)
    doubtful = in_doubt(probability)
    return CalibrationRow(
        levels=levels,
        count=len(truth),
        error=expected_calibration_error(probability, truth),
        doubtful_count=int(doubtful.sum()),
        doubtful_error=expected_calibration_error(probability[doubtful], truth[doubtful]),
        doubtful_by_chance=error_by_chance(probability[doubtful]),
    )
