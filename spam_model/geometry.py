"""Boxes as arrays: [N, 4] x1 y1 x2 y2 in px. One place for what every part of the model needs of them."""

from __future__ import annotations

import numpy as np

from spam_model.values.candidates import FloatArray


def area(box: FloatArray) -> FloatArray:
    """[N, 4] -> [N], px²; 0 for an empty box."""
    size = np.maximum(box[:, 2:] - box[:, :2], 0.0)
    return size[:, 0] * size[:, 1]


def centres(box: FloatArray) -> FloatArray:
    """[N, 4] -> [N, 2], x and y of the middle."""
    return (box[:, :2] + box[:, 2:]) / 2


def bottom_centres(box: FloatArray) -> FloatArray:
    """[N, 4] -> [N, 2], where a person stands."""
    return np.stack([(box[:, 0] + box[:, 2]) / 2, box[:, 3]], axis=1)


def sizes(box: FloatArray) -> FloatArray:
    """[N, 4] -> [N, 2], width and height in px."""
    return box[:, 2:] - box[:, :2]


def from_centres(centre: FloatArray, size: FloatArray) -> FloatArray:
    """Middle [N, 2] and width, height [N, 2] -> [N, 4]."""
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def intersection_matrix(first: FloatArray, second: FloatArray) -> FloatArray:
    """[A, 4] × [B, 4] -> [A, B], px²."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])  # [A, B, 2]
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = np.maximum(high - low, 0.0)
    return np.asarray(overlap[..., 0] * overlap[..., 1])


def iou_matrix(first: FloatArray, second: FloatArray) -> FloatArray:
    """Intersection over union of every pair, [A, 4] × [B, 4] -> [A, B]; 0 where both are empty."""
    shared = intersection_matrix(first, second)
    union = area(first)[:, None] + area(second)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def iou_rows(first: FloatArray, second: FloatArray) -> FloatArray:
    """Intersection over union of row i with row i, [N, 4] × [N, 4] -> [N]."""
    low = np.maximum(first[:, :2], second[:, :2])
    high = np.minimum(first[:, 2:], second[:, 2:])
    overlap = np.maximum(high - low, 0.0)
    shared = overlap[:, 0] * overlap[:, 1]
    union = area(first) + area(second) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def clip_to_image(box: FloatArray, width: int, height: int) -> FloatArray:
    """[N, 4] -> [N, 4] inside 0 … width, 0 … height; a box entirely outside becomes empty."""
    limit = np.array([width, height, width, height], dtype=np.float64)
    return np.clip(box, 0.0, limit)
