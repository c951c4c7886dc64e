"""A YOLOX network as a detector, with an embedding head on its feature pyramid where one was distilled (TDT).

Boxes, embeddings and the maps for the motion model come from one forward pass: of torch on a GPU, of ONNX Runtime on a
CPU, where it takes half the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spam_model.data.clip import Image
from spam_model.detectors.base import Detections
from spam_model.detectors.batching import FittingBatches
from spam_model.detectors.dense_output import FoundBoxes, find_boxes
from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.detectors.joint import JointDetections
from spam_model.detectors.letterbox import letterbox
from spam_model.detectors.onnx_export import OnnxNetwork
from spam_model.detectors.trained_weights import digest_of
from spam_model.detectors.yolox_layers import fold_batch_norms
from spam_model.detectors.yolox_network import STRIDES, YoloxNetwork, cells, decode_boxes
from spam_model.errors import FormatError, InputError
from spam_model.eyes.embedding_head import EmbeddingHead, unit_length
from spam_model.values.candidates import FloatArray

Maps = tuple[Tensor, ...]


class PyramidDetector:
    """Class probability times objectness as score. A box may reach beyond the image. A ``JointDetector``."""

    def __init__(
        self,
        name: str,
        network: YoloxNetwork,
        prepare: Callable[[Tensor], Tensor],
        known_classes: tuple[str, ...],
        *,
        class_names: tuple[str, ...],
        min_score: float,
        max_iou: float,
        device: torch.device,
        input_size: tuple[int, int],
        head: Path | None = None,
    ) -> None:
        """Takes over a network.

        Args:
            name: of the detector, which its head must bear too.
            network: with its weights; its batch norms are folded.
            prepare: BGR 0 … 255 [B, 3, H, W] uint8 -> what the weights were trained for, float32.
            known_classes: what the network finds.
            class_names: those to look for.
            min_score: in [0, 1].
            max_iou: of two boxes of a class that both stay.
            device: where it runs.
            input_size: height and width of the network's input, multiples of 32.
            head: of ``spam-model distill``; without one ``dimension`` is 0.

        Raises:
            InputError: a class that the network does not know, an input that cannot be, or no such head.
            FormatError: the head is of another detector.
        """
        unknown = [asked for asked in class_names if asked not in known_classes]
        if unknown:
            raise InputError(f"{name} finds no {', '.join(map(repr, unknown))}; it finds {', '.join(known_classes)}")
        if any(side < STRIDES[-1] or side % STRIDES[-1] for side in input_size):
            raise InputError(f"an input of {input_size} px; both sides must be multiples of {STRIDES[-1]}")
        self.name = name
        self.class_names = class_names
        self._columns = [known_classes.index(asked) for asked in class_names]
        self._prepare = prepare
        self._min_score, self._max_iou, self._input_size, self._device = min_score, max_iou, input_size, device
        network.eval()
        fold_batch_norms(network)
        self._network = network.requires_grad_(False).to(device)
        self._head = None if head is None else EmbeddingHead.load(head).requires_grad_(False).to(device)
        if self._head is not None and self._head.shape.detector != name:
            raise FormatError(f"{head}: a head for {self._head.shape.detector}, not for {name}; distil another")
        self._cell, self._stride = cells(*input_size, device)  # [A, 2], [A, 1]
        self._batches = FittingBatches()

    @property
    def device(self) -> str:
        return str(self._device)

    @property
    def digest(self) -> str:
        """SHA-256 of the network's weights."""
        return digest_of(self._network)

    @property
    def dimension(self) -> int:
        """Of the embeddings."""
        return 0 if self._head is None else self._head.shape.dimension

    @property
    def strides(self) -> tuple[int, ...]:
        return STRIDES

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the feature maps."""
        return self._network.config.channels

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Images [H, W, 3] uint8 BGR of any sizes -> detections of each."""
        return self._batches.run(lambda part: self._find(part)[0].per_image(len(part)), images)

    def detect_jointly(self, images: Sequence[Image]) -> list[JointDetections]:
        """Images [H, W, 3] uint8 BGR of any sizes -> detections and embeddings of each.

        Raises:
            InputError: there is no head.
        """
        return self._batches.run(self._find_jointly, images)

    def features(self, images: Sequence[Image]) -> FeatureMaps:
        """The feature pyramid of images that are all of one size."""
        if len({image.shape for image in images}) != 1:
            raise ValueError("feature maps are made of images of one size")
        _, maps, scale = self._look(images)
        return FeatureMaps(maps, STRIDES, scale[0])

    def head_features(self, images: Sequence[Image]) -> FeatureMaps:
        """What the embedding head reads: the pyramid too."""
        return self.features(images)

    def embed(self, image: Image, boxes: FloatArray) -> FloatArray:
        """Image [H, W, 3] uint8 BGR, boxes [n, 4] x1 y1 x2 y2 in px -> [n, D] float32, L2-normalised.

        Raises:
            InputError: there is no head.
        """
        if len(boxes) == 0:
            return np.zeros((0, self.dimension), np.float32)
        _, maps, scale = self._look([image])
        place = torch.zeros(len(boxes), dtype=torch.int64, device=self._device)
        return self._embeddings(maps, place, torch.as_tensor(boxes, dtype=torch.float32, device=self._device), scale)

    @torch.no_grad()
    def _look(self, images: Sequence[Image]) -> tuple[Tensor, Maps, Tensor]:
        """The output [B, A, 5 + C], the feature maps, and px of the input per px of each image [B, 2]."""
        prepared = letterbox(images, self._input_size).to(self._device)
        output, *maps = self._run(self._prepare(prepared.pixels))
        return output, tuple(maps), prepared.scale

    @cached_property
    def _run(self) -> Callable[[Tensor], Maps]:
        module = _OutputAndMaps(self._network)
        if self._device.type != "cpu":
            return module
        noise = torch.Generator().manual_seed(0)
        side = 2 * STRIDES[-1]
        example = torch.randint(0, 256, (1, 3, side, side), dtype=torch.uint8, generator=noise)
        return OnnxNetwork(module, self._prepare(example))

    def _find(self, images: Sequence[Image]) -> tuple[FoundBoxes, Maps, Tensor]:
        output, maps, scale = self._look(images)
        box = decode_boxes(output, self._cell, self._stride) / scale.repeat(1, 2)[:, None]
        score = output[..., 4:5] * output[..., 5:][..., self._columns]  # [B, A, asked classes]
        image_sizes = [(image.shape[1], image.shape[0]) for image in images]
        return find_boxes(box, score, image_sizes, min_score=self._min_score, max_iou=self._max_iou), maps, scale

    def _find_jointly(self, images: Sequence[Image]) -> list[JointDetections]:
        found, maps, scale = self._find(images)
        embedding = self._embeddings(maps, found.image, found.box, scale)
        parts = found.per_image(len(images))
        ends = np.cumsum([len(part.score) for part in parts])[:-1]
        pairs = zip(parts, np.split(embedding, ends), strict=True)
        return [JointDetections(part.box, part.score, part.class_id, vectors) for part, vectors in pairs]

    @torch.no_grad()
    def _embeddings(self, maps: Maps, image: Tensor, boxes: Tensor, scale: Tensor) -> FloatArray:
        """Of boxes [n, 4] in px of their images [n], [n, D]."""
        if self._head is None:
            raise InputError(f"{self.name} has no embedding head here; distil one, or use another --appearance")
        vectors = self._head(maps, image, boxes * scale.repeat(1, 2)[image])
        return np.asarray(unit_length(vectors).cpu().numpy())


class _OutputAndMaps(nn.Module):
    def __init__(self, network: YoloxNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Maps:
        maps = self.network.features(pixels)
        return self.network.head(maps), *maps
