"""Temperatures: probabilities that mean what they say, so that uncertainties of different levels can be compared.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: p = σ(z / T), one T per level, fitted by minimal
negative log-likelihood on held-out clips, and judged on others. A temperature moves no decision at 0.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from spam_model.evaluation.calibration import (
    CalibrationRow,
    Decisions,
    calibration_rows,
    expected_calibration_error,
    pooled,
)
from spam_model.graph.model import LEVELS, SpamModel
from spam_model.training.dataset import LOWEST_SCORES, TrainingClip
from spam_model.training.rollout import Step, edge_logits, node_logits, rollout
from spam_model.values.candidates import BoolArray, FloatArray

FEWEST = 50  # decisions below which a level keeps the temperature of the level before it

Logits = dict[int, tuple[FloatArray, BoolArray]]  # by level, 0 the node level: logit [K] and truth [K]


@dataclass(frozen=True)
class Calibration:
    """How the temperatures came about and what they do.

    Attributes:
        temperature: of each level, the node level's first.
        fitted_on: decisions of each level that it was fitted on.
        rows: the error on other clips; ``before`` is the error of all decisions of each row without a temperature.
    """

    temperature: tuple[float, ...]
    fitted_on: tuple[int, ...]
    rows: tuple[CalibrationRow, ...]
    before: tuple[float, ...]


def fit_temperature(logit: FloatArray, truth: BoolArray) -> float:
    """The T in [0.1, 10] of least negative log-likelihood. [K], [K] bool."""
    sign = np.where(truth, -1.0, 1.0)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, sign * logit / np.exp(log_temperature)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.1), np.log(10.0)), method="bounded").x))


def fit_temperatures(logits: Logits) -> tuple[float, ...]:
    """One for each level; where there is too little to fit, that of the level before."""
    result: list[float] = []
    for _, (logit, truth) in sorted(logits.items()):
        enough = len(truth) >= FEWEST and 0 < truth.sum() < len(truth)
        result.append(fit_temperature(logit, truth) if enough else result[-1] if result else 1.0)
    return tuple(result)


def calibrate(model: SpamModel, to_fit: Logits, to_report: Logits) -> Calibration:
    """Sets the model's temperatures from some clips' logits and measures them on others'."""
    temperature = set_temperatures(model, to_fit)
    rows = calibration_rows(probabilities(to_report, temperature))
    plain = probabilities(to_report, (1.0,) * len(temperature))
    return Calibration(
        temperature=temperature,
        fitted_on=tuple(len(truth) for _, (_, truth) in sorted(to_fit.items())),
        rows=rows,
        before=tuple(expected_calibration_error(*pooled(plain, row.levels)) for row in rows),
    )


def set_temperatures(model: SpamModel, logits: Logits) -> tuple[float, ...]:
    """Fits them and puts them into the model."""
    temperature = fit_temperatures(logits)
    model.temperature.copy_(torch.tensor(temperature))
    return temperature


def probabilities(logits: Logits, temperature: tuple[float, ...]) -> Mapping[int, Decisions]:
    """Each level's logits at its temperature."""
    return {level: (_sigmoid(logit / temperature[level]), truth) for level, (logit, truth) in logits.items()}


def held_out_logits(model: SpamModel, clips: Iterable[TrainingClip]) -> Logits:
    """Logits and truth of the decisions of each level that count in full. 0 is the node level."""
    found: dict[int, list[tuple[FloatArray, BoolArray]]] = {level: [] for level in range(LEVELS + 1)}

    def record(step: Step) -> FloatArray:
        logit = edge_logits(model, step)[-1]
        counts = step.weight == 1
        found[step.level].append((logit.double().cpu().numpy()[counts], step.target[counts]))
        return model.calibrate(logit, step.level)

    with torch.no_grad():
        for clip in clips:
            counts = clip.node.weight == 1
            logit = node_logits(model, clip.node)[-1].double().cpu().numpy()
            found[0].append((logit[counts], clip.node.target[counts]))
            rollout(clip, clip.scene.score >= LOWEST_SCORES[0], LEVELS, record)
    empty = [(np.zeros(0), np.zeros(0, bool))]
    return {
        level: (np.concatenate([z for z, _ in empty + parts]), np.concatenate([t for _, t in empty + parts]))
        for level, parts in found.items()
    }


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-np.logaddexp(0.0, -x)))
