"""Which anchors of given sizes learn which object: YOLO's own rule (Redmon & Farhadi, "YOLOv3", 2018, section 2.1).

Each object is learnt in the cell that holds its middle, by the anchor whose shape fits best. Other anchors that already
predict the object well are let be: neither object nor background. Few anchors speak for an object, so that a detector
that was trained so gives as few duplicates after as before.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spam_model.detector_training.assignment import Assignment, pairwise_iou

LET_BE_IOU = 0.7  # of a prediction with an object, from which it is not background; ``ignore_thresh`` of Darknet
_ALIKE = 1e-4  # two levels may have the same anchor; both learn


@torch.no_grad()
def assign_by_shape(box: Tensor, size: Tensor, centre: Tensor, stride: Tensor, truth_box: Tensor) -> Assignment:
    """One image.

    Args:
        box: [A, 4] what the anchors predict, px of the network's input.
        size: [A, 2] width and height of the anchors, px.
        centre, stride: [A, 2] and [A], middle and side of their cells.
        truth_box: [N, 4].
    """
    middle = (truth_box[:, :2] + truth_box[:, 2:]) / 2  # [N, 2]
    away = centre[None] - middle[:, None]  # [N, A, 2]
    half = stride[None, :, None] / 2
    here = ((away > -half) & (away <= half)).all(dim=2)  # [N, A], one cell of each map
    truth_size = truth_box[:, 2:] - truth_box[:, :2]
    shared = torch.minimum(truth_size[:, None], size[None]).prod(dim=2)
    fit = shared / (truth_size.prod(dim=1)[:, None] + size.prod(dim=1)[None] - shared)
    fit = fit.masked_fill(~here, -1.0)  # [N, A]
    best = fit.amax(dim=1, keepdim=True) if fit.shape[1] else fit
    taken = here & (fit >= best - _ALIKE)
    positive = taken.any(dim=0).nonzero()[:, 0]
    if len(positive) == 0:
        return Assignment(positive, positive, box.new_zeros(0))
    owner = fit.masked_fill(~taken, -2.0)[:, positive].argmax(dim=0)
    overlap = pairwise_iou(truth_box, box[positive])[owner, torch.arange(len(positive), device=box.device)]
    return Assignment(positive, owner, overlap)


def predicts_an_object(box: Tensor, truth_box: Tensor) -> Tensor:
    """Which predictions [A, 4] lie on an object [N, 4] so well that they are let be. [A] bool."""
    return (pairwise_iou(truth_box, box) >= LET_BE_IOU).any(dim=0)
