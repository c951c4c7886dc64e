"""The implicit motion model of SiamMOT (Shuai et al., CVPR 2021, Sec. 3.2): a perceptron sees both frames together."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = 7  # cells across the search region: 15 would need 15 MB of weights
CHANNELS = 16
HIDDEN = 512


class ImplicitMotion(nn.Module):
    """``channels`` of the projected features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, CHANNELS, 1)
        self.hidden = nn.Linear(2 * CHANNELS * GRID**2, HIDDEN)
        self.out = nn.Linear(HIDDEN, 5)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """The region around a box, [n, C, s, s], in the frame of the box and in another frame.

        Returns:
            visibility [n] logits; motion [n, 4]: Δx/w, Δy/h, log w'/w, log h'/h (Eq. 2).
        """
        both = torch.cat([functional.adaptive_avg_pool2d(self.reduce(each), GRID) for each in (before, after)], dim=1)
        out = self.out(torch.relu(self.hidden(both.flatten(1))))
        return out[:, 0], out[:, 1:]


def move(boxes: Tensor, motion: Tensor) -> Tensor:
    """Boxes [n, 4] px moved as Eq. 2 says, [n, 4]."""
    size = boxes[:, 2:] - boxes[:, :2]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 + motion[:, :2] * size
    half = size * torch.exp(motion[:, 2:].clamp(-1, 1)) / 2
    return torch.cat([middle - half, middle + half], dim=1)


def motion_between(first: Tensor, second: Tensor) -> Tensor:
    """Eq. 2 of boxes [n, 4] -> [n, 4]."""
    size, other = first[:, 2:] - first[:, :2], second[:, 2:] - second[:, :2]
    shift = (second[:, :2] + second[:, 2:] - first[:, :2] - first[:, 2:]) / 2
    return torch.cat([shift / size, torch.log(other / size)], dim=1)
