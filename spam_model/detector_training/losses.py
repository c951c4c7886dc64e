"""The loss of a one-stage detector (IoU, objectness, class) where not all is known of an image, nor all equally well.

Anchor-free detectors learn as YOLOX does: SimOTA, and the class's target is the IoU. Those with anchors learn as YOLO
does: one anchor for an object, and the class's target is 1. So each keeps the meaning that its scores had.

Objects count by their weight. Anchors without an object are background where all objects are known; they count for
nothing elsewhere, and more where the box that they predict was rejected by a person (a hard negative).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from spam_model.detector_training.anchor_assignment import assign_by_shape, predicts_an_object
from spam_model.detector_training.assignment import Assignment, assign, pairwise_iou, points_inside
from spam_model.detector_training.predictions import DensePrediction

BOX_WEIGHT = 5.0
REJECTED_WEIGHT = 4.0  # of an anchor whose box a person rejected, beside 1 for background
REJECTED_IOU = 0.5  # from which a predicted box is the rejected one, unless it is nearer to an object


@dataclass(frozen=True)
class Target:
    """What is known of one image, as ``samples.Boxes`` but in tensors and in px of the network's input.

    Attributes:
        class_id: [N] int64, index into the trained classes.
    """

    box: Tensor
    class_id: Tensor
    weight: Tensor
    known: Tensor
    ignore: Tensor
    rejected: Tensor


@dataclass(frozen=True)
class Losses:
    """Scalars: of boxes, objectness and classes, and their weighted sum; ``positives``: how many anchors had an object.

    All are sums over the batch by the weight of its positive anchors (1 at least).
    """

    total: Tensor
    box: Tensor
    objectness: Tensor
    classes: Tensor
    positives: int


def detection_loss(prediction: DensePrediction, targets: list[Target]) -> Losses:
    """``BOX_WEIGHT``·(1 − IoU²) + BCE of objectness + BCE of the class, over a batch of B images."""
    box_loss = prediction.box.new_zeros(())
    object_loss = prediction.box.new_zeros(())
    class_loss = prediction.box.new_zeros(())
    total_weight, positives = 0.0, 0
    for index, target in enumerate(targets):
        box, objectness, classes = prediction.box[index], prediction.objectness[index], prediction.classes[index]
        found = _assigned(prediction, index, target)
        weight = target.weight[found.truth]  # [P]
        overlap = paired_iou(box[found.anchor], target.box[found.truth])
        box_loss = box_loss + (weight * (1 - overlap**2)).sum()

        is_object = torch.zeros_like(objectness)
        is_object[found.anchor] = 1.0
        counts = anchor_weights(box.detach(), prediction.centre, target, found)
        if prediction.anchor is not None:
            spare = predicts_an_object(box.detach(), target.box)
            spare[found.anchor] = False
            counts = counts.masked_fill(spare, 0.0)
        cross_entropy = F.binary_cross_entropy_with_logits(objectness, is_object, reduction="none")
        object_loss = object_loss + (counts * cross_entropy).sum()

        sureness = found.iou if prediction.anchor is None else torch.ones_like(found.iou)
        wanted = F.one_hot(target.class_id[found.truth], classes.shape[1]) * sureness[:, None]  # [P, C]
        cross_entropy = F.binary_cross_entropy_with_logits(classes[found.anchor], wanted, reduction="none")
        class_loss = class_loss + (weight[:, None] * cross_entropy).sum()
        total_weight += float(weight.sum())
        positives += len(found.anchor)
    scale = 1 / max(total_weight, 1.0)
    box_loss, object_loss, class_loss = scale * box_loss, scale * object_loss, scale * class_loss
    return Losses(BOX_WEIGHT * box_loss + object_loss + class_loss, box_loss, object_loss, class_loss, positives)


def _assigned(prediction: DensePrediction, index: int, target: Target) -> Assignment:
    box, centre, stride = prediction.box[index], prediction.centre, prediction.stride
    if prediction.anchor is not None:
        return assign_by_shape(box, prediction.anchor, centre, stride, target.box)
    return assign(
        box, prediction.objectness[index], prediction.classes[index], centre, stride, target.box, target.class_id
    )


@torch.no_grad()
def anchor_weights(box: Tensor, centre: Tensor, target: Target, found: Assignment) -> Tensor:
    """How much the objectness of each anchor counts, [A]; ``box`` [A, 4] is what they predict, ``centre`` [A, 2]."""
    known = points_inside(centre, target.known).any(dim=0) & ~points_inside(centre, target.ignore).any(dim=0)
    counts = known.to(box.dtype)
    if len(target.rejected):
        of_rejected = pairwise_iou(target.rejected, box).amax(dim=0)
        of_objects = pairwise_iou(target.box, box).amax(dim=0) if len(target.box) else torch.zeros_like(of_rejected)
        counts[(of_rejected >= REJECTED_IOU) & (of_rejected > of_objects)] = REJECTED_WEIGHT
    counts[found.anchor] = target.weight[found.truth].to(box.dtype)
    return counts


def drift(maps: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    """How far feature maps moved: mean squared difference over the mean square before, summed over the maps. []."""
    parts = [
        (a.float() - b.float()).square().mean() / b.float().square().mean() for a, b in zip(maps, before, strict=True)
    ]
    return torch.stack(parts).sum()


def paired_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of row i with row i, [P, 4] × [P, 4] -> [P]."""
    low = torch.maximum(first[:, :2], second[:, :2])
    high = torch.minimum(first[:, 2:], second[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) for box in (first, second)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-8)
