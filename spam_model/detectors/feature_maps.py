"""What a detector's backbone saw of a batch of images: for the embedding head and for the motion model."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class FeatureMaps:
    """Feature maps of B images of one size, the finest first.

    Attributes:
        maps: of each level [B, C, H, W] float32, on the detector's device.
        strides: of each level, px of the network's input per cell.
        scale: [2] px of the network's input per px of the image, x and y: a box in the image times ``scale`` over
            stride lies in the map.
    """

    maps: tuple[Tensor, ...]
    strides: tuple[int, ...]
    scale: Tensor
