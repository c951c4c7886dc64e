"""Reads feature maps at boxes: a grid of rows × columns laid over each box, bilinear samples averaged in each bin.

RoI-align (He et al., "Mask R-CNN", ICCV 2017) for many boxes of several images at once. Cell i of a map covers
i … i + 1 and holds its value at i + 0.5; beyond the border the outermost cells go on.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SAMPLES = 2  # along each side of a bin


def sample_boxes(feature: Tensor, image: Tensor, boxes: Tensor, rows: int, columns: int) -> Tensor:
    """One level of feature maps, read at boxes.

    Args:
        feature: [B, C, H, W]; fastest where its memory format is channels_last.
        image: [n] int64, the image of each box, 0 … B − 1.
        boxes: [n, 4] x1 y1 x2 y2 in cells of the map; they may reach beyond it.
        rows, columns: of the grid.

    Returns:
        [n, C, rows, columns].
    """
    _, channels, height, width = feature.shape
    table = feature.permute(0, 2, 3, 1).reshape(-1, channels)  # [B·H·W, C]
    top, bottom, down = _corners(boxes[:, 1], boxes[:, 3], rows, height)  # [n, S·R]
    left, right, across = _corners(boxes[:, 0], boxes[:, 2], columns, width)  # [n, S·K]
    start = image * (height * width)  # [n]

    def cells(y: Tensor, x: Tensor) -> Tensor:
        index = start[:, None, None] + y[:, :, None] * width + x[:, None, :]
        return table[index.reshape(-1)].reshape(*index.shape, channels)  # [n, S·R, S·K, C]

    across, down = across[:, None, :, None], down[:, :, None, None]
    upper = torch.lerp(cells(top, left), cells(top, right), across)
    lower = torch.lerp(cells(bottom, left), cells(bottom, right), across)
    sampled = torch.lerp(upper, lower, down)
    binned = sampled.reshape(len(boxes), rows, _SAMPLES, columns, _SAMPLES, channels).mean(dim=(2, 4))
    return binned.permute(0, 3, 1, 2)


def _corners(first: Tensor, last: Tensor, bins: int, cells: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of the samples along one axis: the cell before, the cell after, and how far on between them, [n, S · bins]."""
    count = bins * _SAMPLES
    share = (torch.arange(count, device=first.device, dtype=first.dtype) + 0.5) / count
    place = (first[:, None] + (last - first)[:, None] * share - 0.5).clamp(0, cells - 1)
    before = place.floor()
    return before.long(), (before + 1).clamp(max=cells - 1).long(), place - before
