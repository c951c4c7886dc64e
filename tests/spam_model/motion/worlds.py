"""A world in which motion needs no training: coloured patches on a grey ground, and eyes that see colours.

The eyes' feature maps are the image itself, coarser. The motion model's network is replaced by what the correlation
says by itself, so what is tested is everything around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spam_model.data.clip import Image
from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.detectors.joint import JointDetections
from spam_model.geometry import iou_rows
from spam_model.motion.emm import Response, correlate
from spam_model.motion.model import Backbone, MotionModel
from spam_model.values import ClipInfo
from spam_model.values.candidates import FloatArray

WIDTH, HEIGHT = 160, 120


class ColourEyes:
    """Feature maps: blue, green and red around grey. Detections: those given for each numbered picture."""

    name = "colours"
    device = "cpu"
    class_names = ("patch",)
    strides = (2, 4)
    channels = (3, 3)
    dimension = 4

    def __init__(self, found: Sequence[JointDetections] = ()) -> None:
        self._found = found
        self.looked_at = 0

    def features(self, images: Sequence[Image]) -> FeatureMaps:
        self.looked_at += len(images)
        pixels = torch.from_numpy(np.stack(images).astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1
        maps = tuple(functional.avg_pool2d(pixels, stride) for stride in self.strides)
        return FeatureMaps(maps, self.strides, torch.ones(2))

    def detect(self, images: Sequence[Image]) -> list[JointDetections]:
        return self.detect_jointly(images)

    def detect_jointly(self, images: Sequence[Image]) -> list[JointDetections]:
        """The corner pixel says which frame it is."""
        return [self._found[int(image[0, 0, 0])] for image in images]

    def embed(self, image: Image, boxes: FloatArray) -> FloatArray:
        return np.tile(np.array([1, 0, 0, 0], np.float32), (len(boxes), 1))


class PureCorrelation(nn.Module):
    """An object is where the template's colours are."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.Conv2d(4, 6, 1)  # says how many channels there are

    def forward(self, template: Tensor, search: Tensor) -> Response:
        # Cells that show nothing have length 0: the share of the template that finds its colour again.
        shown = template.square().sum(dim=(1, 2, 3))[:, None] / 225
        likeness = correlate(template, search).sum(dim=1).flatten(1) / shown.clamp(min=1e-3)
        return Response(30 * (likeness - 0.6), 30 * (likeness - 0.8), torch.full((*likeness.shape, 4), 0.5))


def colour_model() -> MotionModel:
    """A motion model of the colour eyes that needs no training."""
    model = MotionModel(Backbone("colours", ColourEyes.strides, ColourEyes.channels), channels=4)
    for projection in model.projections:
        projection.weight.data = torch.eye(4, 3)[:, :, None, None]
    model.explicit = PureCorrelation()  # type: ignore[assignment]
    return model.eval()


class PatchClip:
    """A clip of patches of random colours; ``path`` [K, F, 2] px are their middles, NaN where a patch is hidden."""

    def __init__(self, path: FloatArray, size: tuple[int, int] = (24, 40), seed: int = 0) -> None:
        self.path, self._size = path, size
        rng = np.random.default_rng(seed)
        cells = rng.integers(0, 2, (len(path), size[1] // 4, size[0] // 4, 3)) * 255
        self._texture = cells.repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)
        self.info = ClipInfo("patches", path.shape[1], 10.0, WIDTH, HEIGHT, ("patch",))

    def frame(self, index: int) -> Image:
        image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        for texture, box in zip(self._texture, self.boxes(index), strict=True):
            if np.isfinite(box).all():
                x1, y1, x2, y2 = np.round(box).astype(int)
                low_x, low_y, high_x, high_y = max(x1, 0), max(y1, 0), min(x2, WIDTH), min(y2, HEIGHT)
                if low_x < high_x and low_y < high_y:
                    image[low_y:high_y, low_x:high_x] = texture[low_y - y1 : high_y - y1, low_x - x1 : high_x - x1]
        image[0, 0] = index
        return image

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Image]]:
        for index in range(start, self.info.frame_count if stop is None else stop):
            yield index, self.frame(index)

    def boxes(self, index: int) -> FloatArray:
        """[K, 4] px; NaN for what is hidden."""
        half = np.array(self._size) / 2
        middle = self.path[:, index]
        return np.asarray(np.concatenate([middle - half, middle + half], axis=1))


def straight(frames: int, start: tuple[float, float], velocity: tuple[float, float]) -> FloatArray:
    """A path [1, F, 2]."""
    return np.asarray(np.array(start, np.float64) + np.arange(frames)[:, None] * np.array(velocity))[None]


def overlaps(box: FloatArray, clip: PatchClip, frames: Sequence[int], patch: int = 0) -> FloatArray:
    """IoU of boxes [P, 4] with the patch in their frames."""
    return np.asarray(iou_rows(box, np.stack([clip.boxes(frame)[patch] for frame in frames])))
