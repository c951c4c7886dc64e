"""Focal loss over the steps of message passing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def focal_loss(logit: Tensor, target: Tensor, gamma: float = 1.0) -> Tensor:
    """Mean of −(1 − p_t)^γ log p_t, with p_t the probability of what is true (Lin et al., ICCV 2017, without α).

    Args:
        logit: [S, K], a row for each step.
        target: [K] bool.
    """
    truth = target.to(logit.dtype).expand_as(logit)
    cross_entropy = binary_cross_entropy_with_logits(logit, truth, reduction="none")  # −log p_t
    return ((1 - torch.exp(-cross_entropy)) ** gamma * cross_entropy).mean()
