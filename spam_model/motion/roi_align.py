"""Features of a box at a fixed size: RoI-align (He et al., "Mask R-CNN", ICCV 2017), of our own, on torch.

A box is cut into s × s bins, each bin holds the mean of 2 × 2 bilinear samples. Coordinates are continuous: cell i of a
map covers i … i + 1, its value lies at i + 0.5, and outside the map everything is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spam_model.detectors.feature_maps import FeatureMaps

SAMPLES = 2  # along each side of a bin
CELLS_WANTED = 8.0  # across a box: coarser maps hold fewer cells of it


def choose_level(boxes: Tensor, maps: FeatureMaps) -> Tensor:
    """The coarsest level on which a box still is ``CELLS_WANTED`` cells wide, else the finest. [n, 4] px -> [n] int64.

    Width is the square root of the area.
    """
    scale = maps.scale.to(boxes)
    side = ((boxes[:, 2:] - boxes[:, :2]) * scale).clamp(min=0).prod(dim=1).sqrt()  # [n], px of the network's input
    strides = torch.tensor(maps.strides, dtype=boxes.dtype, device=boxes.device)
    return (side[:, None] >= CELLS_WANTED * strides[None, 1:]).sum(dim=1)


def roi_align(maps: FeatureMaps, boxes: Tensor, size: int, *, level: Tensor | None = None) -> Tensor:
    """Features of boxes on maps of one image, all levels having the same channels. [n, 4] px -> [n, C, size, size].

    Args:
        maps: of one image, B = 1.
        boxes: x1 y1 x2 y2 in px of the image; they may reach beyond it.
        size: bins along a side.
        level: [n], the level of each box; by default ``choose_level``.

    Raises:
        ValueError: the maps are of several images.
    """
    if maps.maps[0].shape[0] != 1:
        raise ValueError("the maps of one image are needed; take them apart first")
    level = choose_level(boxes, maps) if level is None else level
    result = maps.maps[0].new_zeros(len(boxes), maps.maps[0].shape[1], size, size)
    for index, (feature, stride) in enumerate(zip(maps.maps, maps.strides, strict=True)):
        rows = torch.nonzero(level == index).squeeze(1)
        if len(rows):
            scale = maps.scale.to(feature) / stride
            result[rows] = align(feature[0], boxes[rows].to(feature) * scale.repeat(2), size)
    return result


def align(feature: Tensor, boxes: Tensor, size: int) -> Tensor:
    """One map [C, H, W] and boxes [n, 4] in cells of it -> [n, C, size, size]."""
    channels, height, width = feature.shape
    count = size * SAMPLES
    place = (torch.arange(count, device=boxes.device, dtype=boxes.dtype) + 0.5) / count
    corner, extent = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    x = (corner[:, :1] + extent[:, :1] * place) * (2 / width) - 1  # [n, count], -1 … 1 from border to border
    y = (corner[:, 1:] + extent[:, 1:] * place) * (2 / height) - 1
    grid = torch.stack([x[:, None, :].expand(-1, count, -1), y[:, :, None].expand(-1, -1, count)], dim=-1)
    sampled = functional.grid_sample(
        feature[None], grid.reshape(1, -1, count, 2), mode="bilinear", padding_mode="zeros", align_corners=False
    )
    binned = functional.avg_pool2d(sampled[0], SAMPLES)  # [C, n · size, size]
    return binned.reshape(channels, len(boxes), size, size).transpose(0, 1)
