"""SimOTA: which anchors learn which object (Ge et al., "YOLOX: Exceeding YOLO Series in 2021", section 2.2).

The cost of a pair is its classification loss plus λ times its regression loss; anchors outside an object's box or not
near its middle come last. Each object takes its k cheapest anchors, k being the sum of its ten highest IoUs ("dynamic
k estimation" of OTA, Ge et al. 2021); an anchor that several take goes to the one for which it is cheapest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

RADIUS = 2.5  # cells around the middle of an object in which an anchor is near it
REGRESSION_WEIGHT = 3.0  # λ
COUNTED_IOUS = 10
FAR = 1e5  # added to the cost of an anchor that is not both inside and near
_EPSILON = 1e-8


@dataclass(frozen=True)
class Assignment:
    """P positive anchors of an image, ascending: anchor [P], the object each learns [P], their IoU [P]."""

    anchor: Tensor
    truth: Tensor
    iou: Tensor


@torch.no_grad()
def assign(
    box: Tensor,
    objectness: Tensor,
    classes: Tensor,
    centre: Tensor,
    stride: Tensor,
    truth_box: Tensor,
    truth_class: Tensor,
) -> Assignment:
    """One image.

    Args:
        box, objectness, classes, centre, stride: as in ``DensePrediction``, [A, 4], [A], [A, C], [A, 2], [A].
        truth_box: [N, 4] px of the network's input.
        truth_class: [N] int64, index into the C classes.
    """
    inside, near = _places(centre, stride, truth_box)  # [N, A] each
    usable = (inside | near).any(dim=0).nonzero()[:, 0]  # [U]
    if len(truth_box) == 0 or len(usable) == 0:
        none = torch.zeros(0, dtype=torch.int64, device=box.device)
        return Assignment(none, none, box.new_zeros(0))
    iou = pairwise_iou(truth_box, box[usable])  # [N, U]
    probability = (objectness[usable].sigmoid()[:, None] * classes[usable].sigmoid()).sqrt()  # [U, C]
    target = F.one_hot(truth_class, classes.shape[1]).to(box.dtype)  # [N, C]
    log_yes = probability.log().clamp(min=-100)
    log_no = (1 - probability).log().clamp(min=-100)
    classification = -(target @ log_yes.T + (1 - target) @ log_no.T)  # [N, U]
    both = (inside & near)[:, usable]
    cost = classification - REGRESSION_WEIGHT * (iou + _EPSILON).log() + FAR * ~both

    best = iou.topk(min(COUNTED_IOUS, len(usable)), dim=1).values
    count = best.sum(dim=1).int().clamp(min=1)  # [N]
    rank = cost.argsort(dim=1, stable=True).argsort(dim=1)
    taken = rank < count[:, None]  # [N, U]
    owner = cost.masked_fill(~taken, torch.inf).argmin(dim=0)  # [U]
    positive = taken.any(dim=0).nonzero()[:, 0]
    owner = owner[positive]
    return Assignment(usable[positive], owner, iou[owner, positive])


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """[N, 4] × [M, 4] -> [N, M]."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) for box in (first, second)]
    return shared / (areas[0][:, None] + areas[1][None, :] - shared).clamp(min=_EPSILON)


def points_inside(point: Tensor, area: Tensor) -> Tensor:
    """Which points [A, 2] lie within which areas [N, 4]: [N, A] bool."""
    return ((point[None] > area[:, None, :2]) & (point[None] < area[:, None, 2:])).all(dim=2)


def _places(centre: Tensor, stride: Tensor, truth_box: Tensor) -> tuple[Tensor, Tensor]:
    """Whether an anchor's cell lies inside an object, and near its middle: [N, A] bool each."""
    middle = (truth_box[:, :2] + truth_box[:, 2:]) / 2
    away = (centre[None] - middle[:, None]).abs().amax(dim=2)  # [N, A]
    return points_inside(centre, truth_box), away < RADIUS * stride[None]
