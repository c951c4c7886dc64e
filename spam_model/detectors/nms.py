"""Non-maximum suppression: of boxes that overlap within a class, the one with the highest score stays."""

from __future__ import annotations

import torch
from torch import Tensor

from spam_model.values.candidates import FloatArray, IntArray

_BLOCK = 1024  # boxes that are compared with as many others at a time: a few dozen MB, however many there are


def non_maximum_suppression(box: FloatArray, score: FloatArray, class_id: IntArray, max_iou: float = 0.7) -> IntArray:
    """``greedy_rows`` for arrays: box [N, 4] x1 y1 x2 y2 in px, score [N], class_id [N] -> [K] rows that stay."""
    rows = greedy_rows(torch.tensor(box), torch.tensor(score), torch.tensor(class_id), max_iou)
    return rows.numpy()


def greedy_rows(box: Tensor, score: Tensor, group: Tensor, max_iou: float) -> Tensor:
    """Greedy, group by group. Of equal scores the earlier row goes first, so the result is the same every time.

    Args:
        box: [N, 4] x1 y1 x2 y2.
        score: [N].
        group: [N] integer; boxes of different groups (class, or image and class) do not touch each other.
        max_iou: a box that overlaps a better one of its group by more than this goes.

    Returns:
        [K] rows that stay, by descending score.
    """
    order = torch.argsort(score, descending=True, stable=True)
    box, group = box[order], group[order]
    kept = order.new_empty(0)  # places in ``order``
    for start in range(0, len(order), _BLOCK):
        block = torch.arange(start, min(start + _BLOCK, len(order)), device=order.device)
        for part in torch.split(kept, _BLOCK):
            block = block[~_clash(box, group, part, block, max_iou).any(dim=0)]
        kept = torch.cat([kept, block[_survivors(_clash(box, group, block, block, max_iou))]])
    return order[kept]


def _clash(box: Tensor, group: Tensor, first: Tensor, second: Tensor, max_iou: float) -> Tensor:
    """Which pairs of rows cannot both stay: [A] × [B] -> [A, B] bool."""
    a, b = box[first][:, None], box[second][None]  # [A, 1, 4], [1, B, 4]
    width = (torch.minimum(a[..., 2], b[..., 2]) - torch.maximum(a[..., 0], b[..., 0])).clamp_(min=0)
    height = (torch.minimum(a[..., 3], b[..., 3]) - torch.maximum(a[..., 1], b[..., 1])).clamp_(min=0)
    shared = width.mul_(height)
    union = (_area(a) + _area(b)).sub_(shared)
    overlap = torch.where(union > 0, shared / union, 0.0)
    return (overlap > max_iou) & (group[first][:, None] == group[second][None])


def _area(box: Tensor) -> Tensor:
    return (box[..., 2] - box[..., 0]).clamp(min=0) * (box[..., 3] - box[..., 1]).clamp(min=0)


def _survivors(clash: Tensor) -> Tensor:
    """[N, N], rows best first -> [N] bool: what a greedy choice keeps.

    A box stays when no better one that stays clashes with it. Applied to all boxes again and again this settles after
    as many rounds as the longest chain of clashes, from the best box on.
    """
    clash = clash.triu(diagonal=1)
    stays = torch.ones(len(clash), dtype=torch.bool, device=clash.device)
    while True:
        settled = ~(clash & stays[:, None]).any(dim=0)
        if torch.equal(settled, stays):
            return stays
        stays = settled
