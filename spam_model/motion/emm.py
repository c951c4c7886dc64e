"""The explicit motion model of SiamMOT (Shuai et al., CVPR 2021, Sec. 3.3): a template is sought in a search region.

The template's features are correlated, channel by channel, with those of the search region, which is twice the box wide
and high. From the response a small convolutional tower says for each place whether the object is there (visibility),
how near the place is to the object's middle (centreness), and how far away the box's four sides are. Lengths are
measured in widths and heights of the template's box, so one network serves boxes of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

TEMPLATE = 15  # cells across a box
SEARCH = 30  # cells across the search region
SEARCH_FACTOR = SEARCH / TEMPLATE  # widths of the box
PLACES = SEARCH - TEMPLATE + 1  # along a side of the response
WINDOW_WEIGHT = 0.4  # λ of Eq. 5
SCALE_SPREAD = 0.25  # standard deviation of the Gaussian of Eq. 5, log of the relative scale
FUSED_SHARE = 0.7  # places that score at least this share of the best take part in the box


@dataclass(frozen=True)
class Response:
    """What the network says of n search regions, K = ``PLACES`` ².

    Attributes:
        visibility, centreness: [n, K] logits.
        sides: [n, K, 4] left, top, right, bottom distance from the place, in template widths and heights.
    """

    visibility: Tensor
    centreness: Tensor
    sides: Tensor


def correlate(template: Tensor, search: Tensor) -> Tensor:
    """Depth-wise cross-correlation, [n, C, 15, 15] in [n, C, 30, 30] -> [n, C, 16, 16]; means over the template."""
    count, channels = template.shape[:2]
    response = functional.conv2d(
        search.reshape(1, count * channels, SEARCH, SEARCH),
        template.reshape(count * channels, 1, TEMPLATE, TEMPLATE),
        groups=count * channels,
    )
    return response.reshape(count, channels, PLACES, PLACES) / TEMPLATE**2


def places(device: torch.device | None = None) -> Tensor:
    """Where the template's middle lies at each place, from the region's middle, in template widths, heights. [K, 2]."""
    along = (torch.arange(PLACES, dtype=torch.float32, device=device) - (PLACES - 1) / 2) / TEMPLATE
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], dim=1)


class ExplicitMotion(nn.Module):
    """Correlation, tower and heads. ``channels`` of the projected features.

    ``calibration`` [2] is slope and shift of the visibility's logits, fitted after the training.
    """

    calibration: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("calibration", torch.tensor([1.0, 0.0]))
        layers: list[nn.Module] = [nn.GroupNorm(4, channels)]
        for _ in range(2):
            layers += [nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.GroupNorm(4, channels), nn.ReLU()]
        self.tower = nn.Sequential(*layers)
        self.strength = nn.Linear(2, channels)
        self.heads = nn.Conv2d(channels, 6, 3, padding=1)
        nn.init.normal_(self.heads.weight, std=0.01)
        nn.init.zeros_(self.heads.bias)  # type: ignore[arg-type]

    def forward(self, template: Tensor, search: Tensor) -> Response:
        """template [n, C, 15, 15], search [n, C, 30, 30]."""
        response = correlate(template, search)
        total = response.sum(dim=1)  # [n, 16, 16], likeness over all channels
        strength = torch.stack([total.amax(dim=(1, 2)), total.mean(dim=(1, 2))], dim=1)  # the norm takes it away
        out = self.heads(self.tower(response) + self.strength(strength)[:, :, None, None]).flatten(2)  # [n, 6, K]
        sides = 0.5 * torch.exp(out[:, 2:].clamp(-3, 1))  # half a box each, were the object's middle there
        slope, shift = self.calibration
        return Response(out[:, 0] * slope + shift, out[:, 1], sides.transpose(1, 2))


@lru_cache(maxsize=4)
def cosine_window(device: torch.device | None = None) -> Tensor:
    """1 in the middle of the search region, 0 beyond its border places. [K]."""
    line = torch.hann_window(PLACES + 2, periodic=False, device=device)[1:-1]
    window = torch.outer(line, line)
    return (window / window.max()).reshape(-1)


def decode(response: Response) -> tuple[Tensor, Tensor]:
    """Eq. 4 and 5: the best place under the penalty map, its visibility, and the box around it.

    The box is the mean over the places that score nearly as high, weighted by their scores: one place alone is as fine
    as the grid.

    Returns:
        visibility [n] in 0 … 1; box [n, 4] from the region's middle, in halves of the search region.
    """
    at = places(response.sides.device)  # [K, 2]
    box = torch.cat([at - response.sides[..., :2], at + response.sides[..., 2:]], dim=2)  # [n, K, 4]
    visibility = response.visibility.sigmoid()
    change = torch.log((box[..., 2:] - box[..., :2]).clamp(min=1e-3))  # [n, K, 2]
    alike = torch.exp(-0.5 * change.square().sum(dim=2) / SCALE_SPREAD**2)  # S
    penalty = WINDOW_WEIGHT * cosine_window(box.device) + (1 - WINDOW_WEIGHT) * alike  # η
    score = visibility * response.centreness.sigmoid() * penalty
    top, best = score.max(dim=1)
    weight = score * (score >= FUSED_SHARE * top[:, None])
    fused = (weight[..., None] * box).sum(dim=1) / weight.sum(dim=1, keepdim=True)
    return visibility.gather(1, best[:, None]).squeeze(1), fused
