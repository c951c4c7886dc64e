"""Images of any size scaled to a network's input: fitted top left with the aspect kept, or stretched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from spam_model.data.clip import Image

FILL = 114  # of 255, what the rest of the input is filled with; YOLOX was trained so


@dataclass(frozen=True)
class NetworkInput:
    """A batch of images as a network takes them.

    Attributes:
        pixels: [B, 3, H, W] uint8, the channels in the order of the images, stored channels last.
        scale: [B, 2] float32, px of the input per px of each image, x and y.
    """

    pixels: Tensor
    scale: Tensor

    def to(self, device: torch.device) -> NetworkInput:
        return NetworkInput(self.pixels.to(device), self.scale.to(device))


def letterbox(images: Sequence[Image], size: tuple[int, int]) -> NetworkInput:
    """As large as fits into ``size`` (height, width), top left; ``FILL`` to the right or below."""
    return _drawn(images, size, [_fitted(image, size) for image in images])


def stretch(images: Sequence[Image], size: tuple[int, int]) -> NetworkInput:
    """All of ``size`` (height, width), whatever that does to the aspect."""
    return _drawn(images, size, [size] * len(images))


def _fitted(image: Image, size: tuple[int, int]) -> tuple[int, int]:
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    return max(1, int(height * scale)), max(1, int(width * scale))


def _drawn(images: Sequence[Image], size: tuple[int, int], covered: Sequence[tuple[int, int]]) -> NetworkInput:
    """``covered`` is the height and width that each image takes of the input."""
    canvas = np.full((len(images), *size, 3), FILL, np.uint8)
    scale = np.empty((len(images), 2), np.float32)
    for row, (image, (height, width)) in enumerate(zip(images, covered, strict=True)):
        canvas[row, :height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        scale[row] = width / image.shape[1], height / image.shape[0]
    return NetworkInput(torch.from_numpy(canvas).permute(0, 3, 1, 2), torch.from_numpy(scale))
