"""Focal loss over the steps of message passing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def focal_loss(logit: Tensor, target: Tensor, weight: Tensor | None = None, gamma: float = 1.0) -> Tensor:
    """Weighted mean of −(1 − p_t)^γ log p_t, p_t the probability of what is true (Lin et al., ICCV 2017, without α).

    Args:
        logit: [S, K], a row for each step.
        target: [K] bool.
        weight: [K], by default all 1; where all are 0 there is no loss.
    """
    truth = target.to(logit.dtype).expand_as(logit)
    cross_entropy = binary_cross_entropy_with_logits(logit, truth, reduction="none")  # −log p_t
    loss = ((1 - torch.exp(-cross_entropy)) ** gamma * cross_entropy).mean(dim=0)  # [K]
    return loss.mean() if weight is None else (loss * weight).sum() / weight.sum().clamp(min=1e-6)
