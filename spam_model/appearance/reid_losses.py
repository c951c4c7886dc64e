"""The triplet loss with the hardest examples of a batch (Hermans et al., 2017, eq. 5)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def batch_hard_triplet(features: Tensor, identity: Tensor, margin: float) -> Tensor:
    """How far each crop's farthest companion lies beyond its nearest stranger, plus a margin; the mean of what is over.

    Args:
        features: [B, D].
        identity: [B] int64, two or more of them.
        margin: in the units of the features.

    Returns:
        A scalar ≥ 0.
    """
    distance = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")  # [B, B]
    same = identity[:, None] == identity
    farthest = distance.masked_fill(~same, 0).amax(dim=1)
    nearest = distance.masked_fill(same, torch.inf).amin(dim=1)
    return functional.relu(margin + farthest - nearest).mean()
