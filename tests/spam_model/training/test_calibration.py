from __future__ import annotations

import numpy as np
import pytest
import torch

from spam_model.training.calibration import fit_temperature, fit_temperatures
from spam_model.training.loss import focal_loss

RNG = np.random.default_rng(0)
LOGIT = RNG.normal(0, 2, 50_000)
TRUTH = RNG.random(50_000) < 1 / (1 + np.exp(-LOGIT))  # LOGIT is calibrated by construction


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    assert fit_temperature(LOGIT * temperature, TRUTH) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("truth", [np.zeros(10, bool), np.ones(1000, bool), np.zeros(0, bool)])
def test_too_little_to_fit_takes_the_temperature_of_the_level_before(truth: np.ndarray) -> None:
    logit = np.zeros(len(truth))
    assert fit_temperatures({0: (logit, truth)}) == (1.0,)
    first, second = fit_temperatures({0: (LOGIT * 2, TRUTH), 1: (logit, truth)})
    assert second == first == pytest.approx(2.0, rel=0.05)


def test_focal_loss_is_its_formula() -> None:
    logit = torch.tensor([[0.3, -1.0], [2.0, 0.5]])
    truth = torch.tensor([True, False])
    p = torch.sigmoid(logit)
    p_t = torch.stack([p[:, 0], 1 - p[:, 1]], dim=1)
    assert torch.allclose(focal_loss(logit, truth), (-(1 - p_t) * torch.log(p_t)).mean())
    assert torch.allclose(focal_loss(logit, truth, gamma=0.0), (-torch.log(p_t)).mean())
    first_only = focal_loss(logit, truth, weight=torch.tensor([1.0, 0.0]))
    assert torch.allclose(first_only, focal_loss(logit[:, :1], truth[:1]))
    assert focal_loss(logit, truth, weight=torch.zeros(2)) == 0
