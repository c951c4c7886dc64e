from __future__ import annotations

import numpy as np
import pytest
import torch

from spam_model.training.calibration import calibrate, expected_calibration_error, fit_temperature
from spam_model.training.loss import focal_loss

RNG = np.random.default_rng(0)
LOGIT = RNG.normal(0, 2, 50_000)
TRUTH = RNG.random(50_000) < 1 / (1 + np.exp(-LOGIT))  # LOGIT is calibrated by construction


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    assert fit_temperature(LOGIT * temperature, TRUTH) == pytest.approx(temperature, rel=0.05)


def test_calibration_lowers_the_error() -> None:
    result = calibrate(LOGIT * 3, TRUTH, fallback=1.0)
    assert result.error_after < 0.02 < result.error_before
    assert result.count == len(LOGIT)


@pytest.mark.parametrize("truth", [np.zeros(10, bool), np.ones(1000, bool), np.zeros(0, bool)])
def test_too_little_to_fit_takes_the_temperature_of_the_level_before(truth: np.ndarray) -> None:
    assert calibrate(np.zeros(len(truth)), truth, fallback=0.7).temperature == 0.7


def test_calibration_error_by_hand() -> None:
    probability = np.array([0.9, 0.9, 0.1, 0.1])
    truth = np.array([True, False, False, False])
    # two in the bin of 0.9, half of them true: 0.4 off; two in the bin of 0.1, none true: 0.1 off
    assert expected_calibration_error(probability, truth) == pytest.approx((2 * 0.4 + 2 * 0.1) / 4)


def test_focal_loss_is_its_formula() -> None:
    logit = torch.tensor([[0.3, -1.0], [2.0, 0.5]])
    truth = torch.tensor([True, False])
    p = torch.sigmoid(logit)
    p_t = torch.stack([p[:, 0], 1 - p[:, 1]], dim=1)
    assert torch.allclose(focal_loss(logit, truth), (-(1 - p_t) * torch.log(p_t)).mean())
    assert torch.allclose(focal_loss(logit, truth, gamma=0.0), (-torch.log(p_t)).mean())
    first_only = focal_loss(logit, truth, weight=torch.tensor([1.0, 0.0]))
    assert torch.allclose(first_only, focal_loss(logit[:, :1], truth[:1]))
