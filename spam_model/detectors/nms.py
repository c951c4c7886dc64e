"""Non-maximum suppression: of boxes that overlap within a class, the one with the highest score stays."""

from __future__ import annotations

import numpy as np

from spam_model.detectors.base import Detections
from spam_model.geometry import clip_to_image, iou_matrix, sizes
from spam_model.values.candidates import FloatArray, IntArray


def non_maximum_suppression(box: FloatArray, score: FloatArray, class_id: IntArray, max_iou: float = 0.7) -> IntArray:
    """Greedy, class by class. Of equal scores the earlier row goes first, so the result is the same every time.

    Args:
        box: [N, 4] x1 y1 x2 y2 in px.
        score: [N].
        class_id: [N].
        max_iou: a box that overlaps a better one of its class by more than this goes.

    Returns:
        [K] rows that stay, by descending score.
    """
    order = np.argsort(-score, kind="stable")
    box, class_id = box[order], class_id[order]
    clash = (iou_matrix(box, box) > max_iou) & (class_id[:, None] == class_id[None, :])  # [N, N]
    stays = np.ones(len(order), bool)
    for row in range(len(order)):
        if stays[row]:
            stays[row + 1 :] &= ~clash[row, row + 1 :]
    return order[stays]


def suppressed(
    box: FloatArray, score: FloatArray, class_id: IntArray, image_size: tuple[int, int], max_iou: float
) -> Detections:
    """What a network says of one image (width, height), without duplicates and without boxes outside the image."""
    inside = np.isfinite(box).all(axis=1) & (sizes(clip_to_image(box, *image_size)) > 0).all(axis=1)
    box, score, class_id = box[inside], score[inside], class_id[inside]
    rows = non_maximum_suppression(box, score, class_id, max_iou)
    return Detections(box=box[rows], score=np.clip(score[rows], 0.0, 1.0), class_id=class_id[rows])
