"""The embedding head of a joint detector (TDT: Gao et al., "Tracking by Detection and Tracking", its embedder).

As in the paper, two 3×3 convolutions with batch normalisation between them stand on the frozen detector's feature maps
and learn to say what a re-identification model says of the crop. Two things differ, by design; the paper's own reading
was not built for comparison:

* The paper has one embedding per anchor, read at the anchor's cell. Here the maps are read at the box, on a grid of
  rows × columns, and the convolutions run over that grid. A cell sees a fixed stretch of the image, whatever the size
  of the person; a grid fits the person, and boxes that come from elsewhere can be embedded too.
* Finer maps than those of the detector's outputs take part: clothes are colours and textures, which early layers hold.

A 1×1 convolution brings each map to a few channels before it is read, once for the whole image.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spam_model.errors import FormatError
from spam_model.eyes.box_sampling import sample_boxes
from spam_model.storage import pack, read_bytes, unpack, write_atomically

_KIND = "embedding head"


@dataclass(frozen=True)
class HeadShape:
    """What the head stands on, and its size.

    Attributes:
        detector: whose feature maps these are.
        channels, strides: of each map, the finest first.
        projected: channels of each map after its 1×1 convolution, at most.
        width: channels of the 3×3 convolutions.
        rows, columns: of the grid laid over a box.
        stripes: the grid's rows are averaged in so many, from top to bottom, before the last layer.
        dimension: of the embedding.
    """

    detector: str
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    projected: int = 32
    width: int = 128
    rows: int = 12
    columns: int = 4
    stripes: int = 3
    dimension: int = 256


class EmbeddingHead(nn.Module):
    """Feature maps and boxes -> embeddings, compared by cosine."""

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.shape = shape
        narrow = [min(channels, shape.projected) for channels in shape.channels]
        self.projection = nn.ModuleList(
            nn.Conv2d(channels, few, 1) for channels, few in zip(shape.channels, narrow, strict=True)
        )
        self.body = nn.Sequential(
            nn.BatchNorm2d(sum(narrow)),
            nn.Conv2d(sum(narrow), shape.width, 3, padding=1),
            nn.BatchNorm2d(shape.width),
            nn.ReLU(),
            nn.Conv2d(shape.width, shape.width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d((shape.stripes, 1)),
            nn.Flatten(),
            nn.Linear(shape.width * shape.stripes, shape.dimension),
        )

    def forward(self, maps: Sequence[Tensor], image: Tensor, boxes: Tensor) -> Tensor:
        """Embeddings of boxes in B images.

        Args:
            maps: of each level [B, C, H, W].
            image: [n] int64, the image of each box, 0 … B − 1.
            boxes: [n, 4] x1 y1 x2 y2 in px of the network's input.

        Returns:
            [n, D], not normalised.
        """
        narrow = [layer(feature) for layer, feature in zip(self.projection, maps, strict=True)]
        return self._embedded(self._sampled(narrow, image, boxes))

    def sample(self, maps: Sequence[Tensor], image: Tensor, boxes: Tensor) -> Tensor:
        """What ``embed_samples`` takes, [n, ΣC, rows, columns]: all that the head sees of a box, to be kept."""
        return torch.cat(self._sampled(maps, image, boxes), dim=1)

    def embed_samples(self, samples: Tensor) -> Tensor:
        """The same as ``forward``: reading and a 1×1 convolution may change places.

        [n, ΣC, rows, columns] -> [n, D], not normalised.
        """
        parts = torch.split(samples, list(self.shape.channels), dim=1)
        return self._embedded([layer(part) for layer, part in zip(self.projection, parts, strict=True)])

    def _sampled(self, maps: Sequence[Tensor], image: Tensor, boxes: Tensor) -> list[Tensor]:
        shape = self.shape
        return [
            sample_boxes(feature, image, boxes / stride, shape.rows, shape.columns)
            for feature, stride in zip(maps, shape.strides, strict=True)
        ]

    def _embedded(self, parts: Sequence[Tensor]) -> Tensor:
        embedding: Tensor = self.body(torch.cat(list(parts), dim=1))
        return embedding

    def save(self, path: Path, about: dict[str, object] | None = None) -> None:
        """Writes safetensors in float16; shape and ``about`` (data, seed, figures) as JSON in its metadata."""
        arrays = {name: value.cpu().numpy().astype(np.float16) for name, value in self._numbers().items()}
        metadata = {"shape": json.dumps(asdict(self.shape)), "about": json.dumps(about or {})}
        write_atomically(path, pack(_KIND, arrays, metadata))

    @classmethod
    def load(cls, path: Path) -> EmbeddingHead:
        """Reads what ``save`` wrote; float32, on the CPU, in evaluation mode.

        Raises:
            InputError: there is no such file.
            FormatError: not a head, or damaged.
        """
        arrays, metadata = unpack(_KIND, read_bytes(path))
        try:
            shape = HeadShape(**json.loads(metadata["shape"]))
            head = cls(replace(shape, channels=tuple(shape.channels), strides=tuple(shape.strides)))
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: the shape of the head does not read ({error!r}); distil one anew") from error
        expected = {name: tuple(value.shape) for name, value in head._numbers().items()}
        wrong = [name for name in expected.keys() | arrays.keys() if expected.get(name) != _shape(arrays.get(name))]
        if wrong:
            raise FormatError(f"{path}: numbers of another head in {', '.join(sorted(wrong)[:5])}; distil one anew")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise FormatError(f"{path}: holds what is no number; distil one anew")
        numbers = {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
        head.load_state_dict(head.state_dict() | numbers)
        return head.eval()

    def _numbers(self) -> dict[str, Tensor]:
        """The state, without how many batches the normalisation saw."""
        return {name: value for name, value in self.state_dict().items() if value.is_floating_point()}


def _shape(array: np.ndarray | None) -> tuple[int, ...] | None:
    return None if array is None else array.shape


def unit_length(embedding: Tensor) -> Tensor:
    """[n, D] -> [n, D], L2-normalised."""
    return functional.normalize(embedding, dim=1)
