"""Losses of a joint detector, after TDT: focal for classes, Huber for boxes, distances to the teacher's embeddings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 1.5
HUBER_DELTA = 0.1
BOX_WEIGHT, EMBEDDING_WEIGHT = 50.0, 10.0


def focal_loss(logit: Tensor, target: Tensor, alpha: float = FOCAL_ALPHA, gamma: float = FOCAL_GAMMA) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017), summed: logit and target in 0 … 1 of one shape -> []."""
    probability = logit.sigmoid()
    error = target * (1 - probability) + (1 - target) * probability
    weight = (alpha * target + (1 - alpha) * (1 - target)) * error**gamma
    return (weight * functional.binary_cross_entropy_with_logits(logit, target, reduction="none")).sum()


def embedding_loss(embedding: Tensor, teacher: Tensor) -> Tensor:
    """Σ (f − f̂)², summed over boxes; a student of D_s numbers copies the teacher's first D_s.

    Args:
        embedding: [n, D_s], not normalised.
        teacher: [n, D_t], D_t ≥ D_s.
    """
    if teacher.shape[1] < embedding.shape[1]:
        raise ValueError(f"{embedding.shape[1]} numbers cannot be learned from a teacher's {teacher.shape[1]}")
    return (embedding - teacher[:, : embedding.shape[1]]).square().sum()


def tdt_loss(
    logit: Tensor, target: Tensor, box: Tensor, target_box: Tensor, embedding: Tensor, teacher: Tensor
) -> Tensor:
    """focal + 50 · Huber + 10 · Σ (f − f̂)², over the number of assigned anchors (at least 1).

    Args:
        logit, target: [A, C] class logits of all anchors and what they should be, 0 or 1.
        box, target_box: [P, 4] encoded boxes of the P assigned anchors, and what they should be.
        embedding, teacher: [P, D_s] and [P, D_t] of the assigned anchors.
    """
    huber = functional.huber_loss(box, target_box, reduction="sum", delta=HUBER_DELTA)
    total = focal_loss(logit, target) + BOX_WEIGHT * huber + EMBEDDING_WEIGHT * embedding_loss(embedding, teacher)
    return total / max(len(box), 1)


def relation_loss(embedding: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error of the cosines between the boxes of a batch (Park et al., "Relational Knowledge
    Distillation", CVPR 2019, of similarities): what embeddings are compared by. [n, D_s], [n, D_t] -> []."""
    student = functional.normalize(embedding, dim=1)
    expected = functional.normalize(teacher, dim=1)
    return torch.mean((student @ student.T - expected @ expected.T).square())
