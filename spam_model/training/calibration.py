"""Temperatures: probabilities that mean what they say, so that uncertainties of different levels can be compared.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: p = σ(z / T), one T per level, fitted by minimal
negative log-likelihood on held-out clips. A temperature moves no decision at 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from spam_model.values.candidates import BoolArray, FloatArray

BINS = 15
FEWEST = 50  # decisions below which a level keeps the temperature of the level before it


@dataclass(frozen=True)
class Calibration:
    """Of one level: its temperature, the expected calibration error before and after, on how many decisions."""

    temperature: float
    error_before: float
    error_after: float
    count: int


def fit_temperature(logit: FloatArray, truth: BoolArray) -> float:
    """The T in [0.1, 10] of least negative log-likelihood. [K], [K] bool."""
    sign = np.where(truth, -1.0, 1.0)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, sign * logit / np.exp(log_temperature)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.1), np.log(10.0)), method="bounded").x))


def expected_calibration_error(probability: FloatArray, truth: BoolArray) -> float:
    """Σ_b (K_b / K) |mean truth − mean probability| over 15 bins of equal width."""
    if len(truth) == 0:
        return 0.0
    bin_of = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    gap = np.bincount(bin_of, weights=truth.astype(np.float64) - probability, minlength=BINS)
    return float(np.abs(gap).sum() / len(truth))


def calibrate(logit: FloatArray, truth: BoolArray, fallback: float) -> Calibration:
    """Fits one level; ``fallback`` is its temperature where there is too little to fit."""
    enough = len(truth) >= FEWEST and 0 < truth.sum() < len(truth)
    temperature = fit_temperature(logit, truth) if enough else fallback
    before, after = (expected_calibration_error(_sigmoid(logit / t), truth) for t in (1.0, temperature))
    return Calibration(temperature, before, after, len(truth))


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-np.logaddexp(0.0, -x)))
