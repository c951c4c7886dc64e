"""The layers that YOLOX is made of (Ge et al., "YOLOX: Exceeding YOLO Series in 2021"; CSPNet, Wang et al., 2020).

Attributes bear the names that the published checkpoints use, so that those load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_POOLS = (5, 9, 13)  # cells, windows of the spatial pyramid


class ConvBlock(nn.Module):
    """Convolution, batch norm, SiLU. [B, C, H, W] -> [B, out, ceil(H / stride), ceil(W / stride)]."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(out, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))  # type: ignore[no-any-return]


class DepthwiseBlock(nn.Module):
    """A convolution within each channel, then one across channels: the small sizes' stand-in for ``ConvBlock``."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.dconv = ConvBlock(channels, channels, kernel, stride, groups=channels)
        self.pconv = ConvBlock(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pconv(self.dconv(x))  # type: ignore[no-any-return]


def spatial_block(channels: int, out: int, kernel: int, stride: int = 1, *, depthwise: bool) -> nn.Module:
    return (DepthwiseBlock if depthwise else ConvBlock)(channels, out, kernel, stride)


class Bottleneck(nn.Module):
    """1×1 then 3×3 convolution, added to the input where ``shortcut``. Keeps the shape."""

    def __init__(self, channels: int, *, shortcut: bool, depthwise: bool) -> None:
        super().__init__()
        self.conv1 = ConvBlock(channels, channels, 1)
        self.conv2 = spatial_block(channels, channels, 3, depthwise=depthwise)
        self._shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x))
        return x + y if self._shortcut else y


class CspLayer(nn.Module):
    """Half of the channels through ``depth`` bottlenecks, the other half past them. [B, C, H, W] -> [B, out, H, W]."""

    def __init__(self, channels: int, out: int, depth: int, *, shortcut: bool, depthwise: bool) -> None:
        super().__init__()
        hidden = out // 2
        self.conv1 = ConvBlock(channels, hidden, 1)
        self.conv2 = ConvBlock(channels, hidden, 1)
        self.conv3 = ConvBlock(2 * hidden, out, 1)
        self.m = nn.Sequential(*(Bottleneck(hidden, shortcut=shortcut, depthwise=depthwise) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        through, past = self.conv1(x), self.conv2(x)
        return self.conv3(torch.cat([self.m(through), past], dim=1))  # type: ignore[no-any-return]


class SppBottleneck(nn.Module):
    """Spatial pyramid pooling (He et al., 2014): maxima over windows of growing size, side by side. Keeps H and W."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        hidden = channels // 2
        self.conv1 = ConvBlock(channels, hidden, 1)
        self.m = nn.ModuleList(nn.MaxPool2d(window, stride=1, padding=window // 2) for window in _POOLS)
        self.conv2 = ConvBlock(hidden * (1 + len(_POOLS)), out, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        return self.conv2(torch.cat([x, *(pool(x) for pool in self.m)], dim=1))  # type: ignore[no-any-return]


class Focus(nn.Module):
    """Every 2×2 px become one cell of four times the channels, then a convolution.

    [B, C, H, W] -> [B, out, H/2, W/2]; H and W are even. The four pixels go column by column.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = ConvBlock(4 * channels, out, 3)

    def forward(self, x: Tensor) -> Tensor:
        pixels = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.conv(torch.cat(pixels, dim=1))  # type: ignore[no-any-return]


@torch.no_grad()
def fold_batch_norms(network: nn.Module) -> None:
    """Folds every batch norm into the convolution before it, in place: the same output in evaluation, sooner.

    Afterwards the network cannot be trained, and its parameters no longer bear the names of the checkpoints.
    """
    for block in network.modules():
        if isinstance(block, ConvBlock) and isinstance(block.bn, nn.BatchNorm2d):
            conv, norm = block.conv, block.bn
            assert norm.running_mean is not None
            assert norm.running_var is not None
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # [out]
            conv.weight.mul_(gain[:, None, None, None])
            conv.bias = nn.Parameter(norm.bias - norm.running_mean * gain)
            block.bn = nn.Identity()
