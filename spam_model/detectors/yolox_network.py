"""YOLOX (Ge et al., "YOLOX: Exceeding YOLO Series in 2021") in plain torch: Darknet, feature pyramid, decoupled head.

Parameters have the names and shapes of the official checkpoints. Input is [B, 3, H, W] float32, H and W multiples of
32; what its pixels are, BGR of 0 … 255 or normalised RGB, the checkpoint decides (see ``spam_model.detectors.yolox``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spam_model.detectors.yolox_layers import ConvBlock, CspLayer, Focus, SppBottleneck, spatial_block

STRIDES = (8, 16, 32)  # px of the input per cell of the three feature maps
_PRIOR = 0.01  # objectness and class probability that an untrained head gives, as in focal loss


@dataclass(frozen=True)
class YoloxConfig:
    """How large a YOLOX is.

    Attributes:
        depth: share of the large network's layers in a row; 1 is YOLOX-l.
        width: share of its channels.
        depthwise: whether spatial convolutions are depthwise-separable.
        class_count: C.
    """

    depth: float
    width: float
    depthwise: bool = False
    class_count: int = 80

    @property
    def channels(self) -> tuple[int, int, int]:
        """Of the feature maps of strides 8, 16 and 32."""
        base = self.base_channels
        return 4 * base, 8 * base, 16 * base

    @property
    def base_channels(self) -> int:
        return max(round(64 * self.width), 1)

    @property
    def base_depth(self) -> int:
        return max(round(3 * self.depth), 1)


SIZES = {
    "nano": YoloxConfig(0.33, 0.25, depthwise=True),
    "tiny": YoloxConfig(0.33, 0.375),
    "s": YoloxConfig(0.33, 0.5),
    "m": YoloxConfig(0.67, 0.75),
    "l": YoloxConfig(1.0, 1.0),
    "x": YoloxConfig(1.33, 1.25),
}


class CspDarknet(nn.Module):
    """[B, 3, H, W] -> maps of strides 8, 16 and 32."""

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        base, depth, depthwise = config.base_channels, config.base_depth, config.depthwise

        def stage(channels: int, depth: int) -> list[nn.Module]:
            return [
                spatial_block(channels, 2 * channels, 3, 2, depthwise=depthwise),
                CspLayer(2 * channels, 2 * channels, depth, shortcut=True, depthwise=depthwise),
            ]

        self.stem = Focus(3, base)
        self.dark2 = nn.Sequential(*stage(base, depth))
        self.dark3 = nn.Sequential(*stage(2 * base, 3 * depth))
        self.dark4 = nn.Sequential(*stage(4 * base, 3 * depth))
        self.dark5 = nn.Sequential(
            spatial_block(8 * base, 16 * base, 3, 2, depthwise=depthwise),
            SppBottleneck(16 * base, 16 * base),
            CspLayer(16 * base, 16 * base, depth, shortcut=False, depthwise=depthwise),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c3: Tensor = self.dark3(self.dark2(self.stem(x)))
        c4: Tensor = self.dark4(c3)
        c5: Tensor = self.dark5(c4)
        return c3, c4, c5


class FeaturePyramid(nn.Module):
    """Darknet with a path-aggregation feature pyramid on it (Liu et al., "PANet", 2018).

    [B, 3, H, W] -> maps [B, C_l, H / stride_l, W / stride_l] of strides 8, 16 and 32.
    """

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        fine, middle, coarse = config.channels
        depthwise = config.depthwise

        def merge(channels: int, out: int) -> CspLayer:
            return CspLayer(channels, out, config.base_depth, shortcut=False, depthwise=depthwise)

        self.backbone = CspDarknet(config)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.lateral_conv0 = ConvBlock(coarse, middle, 1)
        self.C3_p4 = merge(2 * middle, middle)
        self.reduce_conv1 = ConvBlock(middle, fine, 1)
        self.C3_p3 = merge(2 * fine, fine)
        self.bu_conv2 = spatial_block(fine, fine, 3, 2, depthwise=depthwise)
        self.C3_n3 = merge(2 * fine, middle)
        self.bu_conv1 = spatial_block(middle, middle, 3, 2, depthwise=depthwise)
        self.C3_n4 = merge(2 * middle, coarse)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c3, c4, c5 = self.backbone(x)
        down5 = self.lateral_conv0(c5)
        merged4 = self.C3_p4(torch.cat([self.upsample(down5), c4], dim=1))
        down4 = self.reduce_conv1(merged4)
        p3: Tensor = self.C3_p3(torch.cat([self.upsample(down4), c3], dim=1))
        p4: Tensor = self.C3_n3(torch.cat([self.bu_conv2(p3), down4], dim=1))
        p5: Tensor = self.C3_n4(torch.cat([self.bu_conv1(p4), down5], dim=1))
        return p3, p4, p5


class YoloxHead(nn.Module):
    """Decoupled head: classes on one branch, box and objectness on the other, at every cell of every map."""

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        hidden, depthwise = config.channels[0], config.depthwise

        def branch() -> nn.Sequential:
            return nn.Sequential(*(spatial_block(hidden, hidden, 3, depthwise=depthwise) for _ in range(2)))

        def predictor(out: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(hidden, out, 1) for _ in STRIDES)

        self.stems = nn.ModuleList(ConvBlock(channels, hidden, 1) for channels in config.channels)
        self.cls_convs = nn.ModuleList(branch() for _ in STRIDES)
        self.reg_convs = nn.ModuleList(branch() for _ in STRIDES)
        self.cls_preds = predictor(config.class_count)
        self.reg_preds = predictor(4)
        self.obj_preds = predictor(1)
        for layer in (*self.cls_preds, *self.obj_preds):
            nn.init.constant_(layer.bias, -math.log((1 - _PRIOR) / _PRIOR))

    def logits(self, maps: tuple[Tensor, ...]) -> Tensor:
        """[B, A, 5 + C]: offset x y from the cell's corner in cells, log width and height in cells, logits of
        objectness and of each class; cells row by row, the finest map first (``cells``)."""
        levels = []
        for level, features in enumerate(maps):
            x = self.stems[level](features)
            scores = self.cls_preds[level](self.cls_convs[level](x))
            located = self.reg_convs[level](x)
            output = torch.cat([self.reg_preds[level](located), self.obj_preds[level](located), scores], dim=1)
            levels.append(output.flatten(2))  # [B, 5 + C, H · W]
        return torch.cat(levels, dim=2).transpose(1, 2)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """``logits`` with a sigmoid on all but the box: the output of the official export. [B, A, 5 + C]."""
        output = self.logits(maps)
        return torch.cat([output[..., :4], output[..., 4:].sigmoid()], dim=-1)


class YoloxNetwork(nn.Module):
    """``head(features(x))``. Any other head may be put on ``features``, or beside the first in a module of its own."""

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = FeaturePyramid(config)
        self.head = YoloxHead(config)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 3, H, W] -> the pyramid's maps, strides ``STRIDES``, channels ``config.channels``."""
        return self.backbone(x)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, A, 5 + C], see ``YoloxHead``; boxes through ``decode_boxes``."""
        return self.head(self.features(x))  # type: ignore[no-any-return]


def cells(height: int, width: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Column and row [A, 2] and stride [A, 1] of every cell of an input of H × W px, in the order of the output."""
    corners, strides = [], []
    for stride in STRIDES:
        row, column = torch.meshgrid(
            torch.arange(height // stride, device=device), torch.arange(width // stride, device=device), indexing="ij"
        )
        corners.append(torch.stack([column, row], dim=-1).reshape(-1, 2))
        strides.append(torch.full((row.numel(), 1), stride, device=device))
    return torch.cat(corners).float(), torch.cat(strides).float()


def decode_boxes(output: Tensor, cell: Tensor, stride: Tensor) -> Tensor:
    """Boxes x1 y1 x2 y2 in px of the input: [..., A, ≥ 4], [A, 2], [A, 1] -> [..., A, 4]."""
    centre = (output[..., :2] + cell) * stride
    half = output[..., 2:4].exp() * stride / 2
    return torch.cat([centre - half, centre + half], dim=-1)
