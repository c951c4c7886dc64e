"""From what a network says at each of its anchors to the detections of each image, for a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spam_model.detectors.base import Detections
from spam_model.detectors.nms import greedy_rows


@dataclass(frozen=True)
class FoundBoxes:
    """What was found in a batch, image by image, best first.

    Attributes:
        image: [K] place in the batch.
        anchor: [K] which anchor found it.
        box: [K, 4] x1 y1 x2 y2 in px of the image; may reach beyond it.
        score: [K] in [0, 1].
        class_id: [K] column of the scores.
    """

    image: Tensor
    anchor: Tensor
    box: Tensor
    score: Tensor
    class_id: Tensor

    def per_image(self, count: int) -> list[Detections]:
        """Of each of the ``count`` images of the batch."""
        bounds = np.searchsorted(self.image.cpu().numpy(), np.arange(1, count))
        parts = zip(
            np.split(self.box.cpu().numpy().astype(np.float64), bounds),
            np.split(self.score.cpu().numpy().astype(np.float64), bounds),
            np.split(self.class_id.cpu().numpy(), bounds),
            strict=True,
        )
        return [Detections(box, score, class_id) for box, score, class_id in parts]


def find_boxes(
    box: Tensor, score: Tensor, image_sizes: Sequence[tuple[int, int]], *, min_score: float, max_iou: float
) -> FoundBoxes:
    """Boxes of at least ``min_score`` without duplicates and without those outside the image.

    Args:
        box: [B, A, 4] x1 y1 x2 y2 in px of the image.
        score: [B, A, C]; an anchor may find several classes.
        image_sizes: width and height of each image.
        min_score: what scores less is left out.
        max_iou: of two boxes of an image and class that both stay.
    """
    image, anchor, class_id = (score >= min_score).nonzero(as_tuple=True)
    found, value = box[image, anchor], score[image, anchor, class_id]
    limit = box.new_tensor(image_sizes)[image]  # [K, 2]
    inside = torch.isfinite(found).all(dim=1) & (found[:, :2] < limit).all(dim=1) & (found[:, 2:] > 0).all(dim=1)
    inside &= (found[:, 2:] > found[:, :2]).all(dim=1)
    image, anchor, class_id, found, value = (part[inside] for part in (image, anchor, class_id, found, value))
    rows = greedy_rows(found, value, image * score.shape[2] + class_id, max_iou)
    rows = rows[torch.argsort(image[rows], stable=True)]
    return FoundBoxes(image[rows], anchor[rows], found[rows], value[rows].clamp(0, 1), class_id[rows])
