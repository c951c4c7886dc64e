"""A ResNet (He et al., CVPR 2016) for re-identification, with torchvision's parameter names.

What makes it one for re-identification is from Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person
Re-identification" (CVPRW 2019): the last stage has stride 1, so that its map is twice as fine, and a batch
normalisation without bias, the *neck*, stands between the pooled features, which the triplet loss compares, and the
normalised ones, which are classified in training and compared by cosine later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Variant = Literal["resnet18", "resnet50"]

_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB in 0 … 1
_DEVIATION = (0.229, 0.224, 0.225)
WIDTHS = (64, 128, 256, 512)  # channels of the stages, a quarter of what a bottleneck gives


@dataclass(frozen=True)
class ReidConfig:
    """What of the network its parameters' names do not all tell.

    Attributes:
        variant: which ResNet.
        height: of a crop, px.
        width: of a crop, px.
        last_stride: of the last stage; 1 here, 2 in a ResNet for classification.
        neck: whether a batch normalisation follows the pooling.
        reduction: length that a linear layer brings the pooled features to; 0 for no such layer. This is what
            Torchreid calls ``fc``, as in the ``resnet50_fc512`` that MOTSynth's authors trained.
    """

    variant: Variant = "resnet50"
    height: int = 256
    width: int = 128
    last_stride: int = 1
    neck: bool = True
    reduction: int = 0

    @property
    def dimension(self) -> int:
        """Of the embeddings."""
        return self.reduction or WIDTHS[-1] * _LAYOUTS[self.variant][0].expansion


class ReidNetwork(nn.Module):
    """Normalised RGB crops -> pooled features; ``embed`` gives what is compared."""

    def __init__(self, config: ReidConfig) -> None:
        super().__init__()
        self.config = config
        block, depths = _LAYOUTS[config.variant]
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        strides = (1, 2, 2, config.last_stride)
        channels = WIDTHS[0]
        for stage, (width, depth, stride) in enumerate(zip(WIDTHS, depths, strides, strict=True), start=1):
            blocks = [block(channels, width, stride)]
            channels = width * block.expansion
            blocks += [block(channels, width, 1) for _ in range(depth - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        if config.reduction:
            self.fc: nn.Module = nn.Sequential(
                nn.Linear(channels, config.reduction), nn.BatchNorm1d(config.reduction), nn.ReLU()
            )
        else:
            self.fc = nn.Identity()
        self.neck: nn.Module = nn.Identity()
        if config.neck:
            self.neck = nn.BatchNorm1d(config.dimension)
            self.neck.bias.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, crops: Tensor) -> Tensor:
        """[B, 3, H, W] as ``normalised`` gives them -> [B, D], before the neck."""
        features = self.maxpool(functional.relu(self.bn1(self.conv1(crops))))
        for stage in range(1, len(WIDTHS) + 1):
            features = self.get_submodule(f"layer{stage}")(features)
        pooled: Tensor = self.fc(features.mean(dim=(2, 3)))
        return pooled

    def embed(self, crops: Tensor) -> Tensor:
        """[B, 3, H, W] as ``normalised`` gives them -> [B, D], L2-normalised."""
        return functional.normalize(self.neck(self(crops)))


def normalised(crops: Tensor) -> Tensor:
    """[B, H, W, 3] uint8 BGR -> [B, 3, H, W] float32 RGB, with ImageNet's mean and deviation taken off."""
    mean = torch.tensor(_MEAN, device=crops.device)
    deviation = torch.tensor(_DEVIATION, device=crops.device)
    return ((crops.flip(-1).float() / 255 - mean) / deviation).permute(0, 3, 1, 2).contiguous()


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut: ResNet-18."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(channels, width, stride)

    def forward(self, features: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(features)))
        inner = self.bn2(self.conv2(inner))
        return functional.relu(inner + self.downsample(features))


class Bottleneck(nn.Module):
    """1×1, 3×3 with the stride, 1×1 to four times the width, and a shortcut: ResNet-50."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.downsample = _shortcut(channels, width * self.expansion, stride)

    def forward(self, features: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(features)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        return functional.relu(inner + self.downsample(features))


def _shortcut(channels: int, out: int, stride: int) -> nn.Module:
    if stride == 1 and channels == out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))


_LAYOUTS: dict[Variant, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}
