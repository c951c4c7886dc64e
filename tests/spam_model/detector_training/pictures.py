"""Small pictures, and a small detector to learn them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from spam_model.data.clip import Image
from spam_model.detector_training.augment import Augmentation
from spam_model.detector_training.batches import Views
from spam_model.detector_training.predictions import DensePrediction
from spam_model.detector_training.samples import Boxes, Sample
from spam_model.detector_training.trainable import Part
from spam_model.values.candidates import FloatArray

AS_IT_IS = Augmentation(scale=(1.0, 1.0), aspect=1.0, hue=0, saturation=0, value=0, mosaic=0, grey=0)
VIEWS = Views(((64, 64),), 2, AS_IT_IS)


@dataclass(frozen=True)
class Pictures:
    """Samples in memory."""

    samples: Sequence[Sample]
    name: str = "pictures"
    class_names: tuple[str, ...] = ("person",)
    frequency: FloatArray = field(default_factory=lambda: np.ones(2))

    def load(self, index: int) -> Sample:
        return self.samples[index]


def two_pictures() -> Pictures:
    """A bright rectangle in each, at another place."""
    return Pictures([picture([[6, 10, 26, 50]]), picture([[30, 4, 60, 34]])])


def picture(boxes: list[list[int]], side: int = 64) -> Sample:
    image: Image = np.full((side, side, 3), 40, np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 220
    return Sample(image, Boxes.build(np.array(boxes, np.float64)))


class TinyDetector:
    """Three convolutions, and a head: one anchor every 8 px."""

    name = "tiny"
    class_names = ("person",)

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for channels, out in ((3, 16), (16, 32), (32, 32)):
            norm = nn.BatchNorm2d(out, momentum=0.3)
            layers += [nn.Conv2d(channels, out, 5, stride=2, padding=2, bias=False), norm, nn.SiLU()]
        body = nn.Sequential(*layers, nn.Conv2d(32, 32, 5, padding=2), nn.SiLU())
        self.network: nn.Module = nn.ModuleDict({"body": body, "head": nn.Conv2d(32, 6, 1)})

    def predict(self, network: nn.Module, images: Tensor, columns: Tensor) -> DensePrediction:
        assert isinstance(network, nn.ModuleDict)
        features = network["body"](images.permute(0, 3, 1, 2).float() / 128 - 1)
        output = network["head"](features).float().flatten(2).transpose(1, 2)  # [B, A, 6]
        height, width = features.shape[2:]
        row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        centre = (torch.stack([column, row], dim=-1).reshape(-1, 2) + 0.5) * 8
        middle, half = centre + 8 * output[..., :2], 8 * output[..., 2:4].exp()
        return DensePrediction(
            box=torch.cat([middle - half, middle + half], dim=-1),
            objectness=output[..., 4],
            classes=output[..., 5:][..., columns],
            centre=centre,
            stride=torch.full((len(centre),), 8.0),
            maps=(features,),
        )

    def parameters(self, part: Part) -> list[nn.Parameter]:
        assert isinstance(self.network, nn.ModuleDict)
        return list((self.network["head"] if part is Part.HEAD else self.network).parameters())
