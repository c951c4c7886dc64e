"""Crops of boxes, cut out of decoded frames and brought to one size: what every appearance network looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from spam_model.data.clip import Image
from spam_model.detectors.base import Appearance
from spam_model.errors import InputError
from spam_model.values.candidates import FloatArray, IntArray

Crops = NDArray[np.uint8]  # [n, H, W, 3] BGR, all of one size


@runtime_checkable
class CropAppearance(Appearance, Protocol):
    """An appearance model that looks at crops of one size, so that crops of many frames may share a batch."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a crop in px."""
        ...

    def embed_crops(self, crops: Crops) -> NDArray[np.float32]:
        """[n, H, W, 3] -> [n, D] float32, L2-normalised."""
        ...


def cut_crops(image: Image, boxes: FloatArray, size: tuple[int, int]) -> Crops:
    """What the boxes show of an image.

    A box is rounded to whole pixels and cut off at the border of the image; one that is empty, smaller than a pixel or
    outside the image shows the pixel nearest to it. Shrunk by averaging areas, enlarged linearly.

    Args:
        image: [H, W, 3] uint8 BGR.
        boxes: [n, 4] x1 y1 x2 y2 in px, finite.
        size: height and width of a crop in px.

    Returns:
        [n, height, width, 3] uint8 BGR.

    Raises:
        InputError: the image is not [H, W, 3] uint8, or a box is not finite.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f"an image of shape {image.shape} and type {image.dtype}; crops need [H, W, 3] uint8 BGR")
    height, width = size
    crops = np.empty((len(boxes), height, width, 3), np.uint8)
    for crop, (left, top, right, bottom) in zip(crops, _pixel_spans(boxes, image.shape[:2]), strict=True):
        shrinks = bottom - top >= height and right - left >= width
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        cv2.resize(image[top:bottom, left:right], (width, height), dst=crop, interpolation=interpolation)
    return crops


def embed_frames(
    model: CropAppearance, images: Sequence[Image], boxes: Sequence[FloatArray]
) -> list[NDArray[np.float32]]:
    """The boxes of several images, embedded as one batch: for each image [n, 4] -> [n, D]."""
    crops = [cut_crops(image, box, model.size) for image, box in zip(images, boxes, strict=True)]
    if not crops:
        return []
    ends = np.cumsum([len(part) for part in crops])
    return np.split(model.embed_crops(np.concatenate(crops)), ends[:-1])


def _pixel_spans(boxes: FloatArray, shape: tuple[int, int]) -> IntArray:
    """First and one-past-last column and row of each box in the image, at least one pixel: [n, 4] x1 y1 x2 y2."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    if not np.isfinite(boxes).all():
        raise InputError(f"box {boxes[~np.isfinite(boxes).all(axis=1)][0]} is not finite; leave such boxes out")
    limit = np.array([shape[1], shape[0]])
    first = np.clip(np.round(boxes[:, :2]), 0, limit - 1)
    last = np.clip(np.round(boxes[:, 2:]), first + 1, limit)
    return np.concatenate([first, last], axis=1).astype(np.int64)
