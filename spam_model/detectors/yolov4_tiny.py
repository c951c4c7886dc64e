"""YOLOv4-tiny (Bochkovskiy et al., "YOLOv4: Optimal Speed and Accuracy of Object Detection", 2020) with our own head.

The default eyes: small, fast on a CPU, COCO classes, and its weights can be fetched with nothing but pip. The network
is frozen; embeddings are read off its feature maps by a head that was distilled from a re-identification model (TDT).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import groupby
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spam_model.data.clip import Image
from spam_model.detectors.base import Detections
from spam_model.detectors.batching import FittingBatches
from spam_model.detectors.coco import COCO_CLASSES, coco_columns
from spam_model.detectors.dense_output import FoundBoxes, find_boxes
from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.detectors.fetch import fetch_weights
from spam_model.detectors.joint import JointDetections
from spam_model.detectors.letterbox import stretch
from spam_model.detectors.trained_weights import load_trained
from spam_model.detectors.yolov4_tiny_network import DarknetNetwork
from spam_model.device import resolve_device
from spam_model.errors import FormatError, InputError
from spam_model.eyes.embedding_head import EmbeddingHead, unit_length
from spam_model.values.candidates import FloatArray

SHIPPED_HEAD = Path(__file__).parent.parent / "weights" / "yolov4_tiny_head.safetensors"
INPUT_PIXELS = 608 * 480  # of the network's input
FEATURE_LAYERS = (8, 16)  # strides 4 and 8, 128 and 256 channels: fine enough to see a box move
HEAD_LAYERS = (0, 8, 16, 35)  # strides 2, 4, 8, 16
_STRIDE = 32


class YoloV4Tiny:
    """Class probability times objectness as score. Images are stretched a little to sides that are multiples of 32."""

    name = "yolov4-tiny"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        class_names: tuple[str, ...] = ("person",),
        min_score: float = 0.1,
        max_iou: float = 0.7,
        device: str = "auto",
        embed: bool = True,
        head: Path = SHIPPED_HEAD,
        input_size: tuple[int, int] | None = None,
        weights: Path | None = None,
    ) -> None:
        """Reads the network and the head.

        Args:
            folder: with yolov4-tiny.cfg and .weights, by default the cache.
            class_names: of COCO's.
            min_score: in [0, 1].
            max_iou: of two boxes of a class that both stay.
            device: auto, cpu or cuda.
            embed: False for a plain detector, whose ``dimension`` is 0.
            head: as ``spam-model distill`` writes it.
            input_size: height and width of the network's input, multiples of 32; by default of about
                ``INPUT_PIXELS`` and nearly the shape of the image.
            weights: of ``spam-model finetune-detector``, in the place of those in ``folder``.

        Raises:
            InputError: COCO has no such class, there is no such head, or no input can have this size.
            FetchError: the weights are not in the cache and cannot be fetched.
            FormatError: weights or head cannot be read, or do not belong together.
            DeviceError: the device is not there.
        """
        self._columns = coco_columns(class_names)
        self._device = resolve_device(device)
        if input_size is not None and any(side < _STRIDE or side % _STRIDE for side in input_size):
            raise InputError(f"an input of {input_size} px; both sides must be multiples of {_STRIDE}")
        self.class_names = class_names
        self._min_score = min_score
        self._max_iou = max_iou
        self._input_size = input_size
        network = DarknetNetwork(fetch_weights("yolov4-tiny") if folder is None else folder)
        if network.class_count != len(COCO_CLASSES):
            raise FormatError(f"{folder}: finds {network.class_count} classes; COCO has {len(COCO_CLASSES)}")
        if weights is not None:
            load_trained(weights, "yolov4-tiny", network)
        self._network = network.eval().requires_grad_(False).to(self._device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a fifth faster on CPUs
        self._head = EmbeddingHead.load(head).requires_grad_(False).to(self._device) if embed else None
        if self._head is not None and self._head.shape.detector != self.name:
            raise FormatError(f"{head}: a head for {self._head.shape.detector}, not for {self.name}; distil another")
        self._batches = FittingBatches()

    @property
    def device(self) -> str:
        return str(self._device)

    @property
    def dimension(self) -> int:
        """Of the embeddings."""
        return 0 if self._head is None else self._head.shape.dimension

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the feature maps."""
        return tuple(self._network.strides[layer] for layer in FEATURE_LAYERS)

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the feature maps."""
        return tuple(self._network.channels[layer] for layer in FEATURE_LAYERS)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Images [H, W, 3] uint8 BGR of any size -> detections of each."""
        found: list[Detections] = []
        for alike in _of_one_size(images):
            found += self._batches.run(lambda part: self._find(part)[0].per_image(len(part)), alike)
        return found

    def detect_jointly(self, images: Sequence[Image]) -> list[JointDetections]:
        """Images [H, W, 3] uint8 BGR of any size -> detections and embeddings of each.

        Raises:
            InputError: there is no head.
        """
        self._require_head()
        found: list[JointDetections] = []
        for alike in _of_one_size(images):
            found += self._batches.run(self._find_jointly, alike)
        return found

    @property
    def digest(self) -> str:
        """SHA-256 of the network's weights."""
        total = hashlib.sha256()
        for value in self._network.state_dict().values():
            total.update(value.cpu().contiguous().numpy().tobytes())
        return total.hexdigest()

    def features(self, images: Sequence[Image]) -> FeatureMaps:
        """What the motion model sees of images that are all of one size, at strides 4 and 8."""
        return self._maps(images, FEATURE_LAYERS)

    def head_features(self, images: Sequence[Image]) -> FeatureMaps:
        """What the embedding head sees of images that are all of one size: strides 2, 4, 8 and 16."""
        return self._maps(images, HEAD_LAYERS)

    @torch.inference_mode()
    def embed(self, image: Image, boxes: FloatArray) -> FloatArray:
        """Image [H, W, 3] uint8 BGR, boxes [n, 4] x1 y1 x2 y2 in px -> [n, D] float32, L2-normalised.

        Raises:
            InputError: there is no head.
        """
        self._require_head()
        if len(boxes) == 0:
            return np.zeros((0, self.dimension), np.float32)
        maps = self.head_features([image])
        place = torch.zeros(len(boxes), dtype=torch.int64, device=self._device)
        box = torch.as_tensor(boxes, dtype=torch.float32, device=self._device)
        return np.asarray(self._embeddings(maps.maps, place, box * maps.scale.repeat(2)).cpu().numpy())

    @torch.no_grad()
    def _maps(self, images: Sequence[Image], layers: Sequence[int]) -> FeatureMaps:
        pixels, scale = self._input(images)
        strides = tuple(self._network.strides[layer] for layer in layers)
        return FeatureMaps(self._network.feature_maps(pixels, layers), strides, scale)

    def _input(self, images: Sequence[Image]) -> tuple[Tensor, Tensor]:
        """RGB in 0 … 1, [B, 3, H, W], and px of it per px of the images, [2]."""
        height, width = images[0].shape[:2]
        prepared = stretch(images, self._input_size or fitting_size(height, width, INPUT_PIXELS)).to(self._device)
        pixels = prepared.pixels.flip(1).to(torch.float32).div_(255)
        return pixels.contiguous(memory_format=torch.channels_last), prepared.scale[0]

    @torch.inference_mode()
    def _find(self, images: Sequence[Image], keep: Sequence[int] = ()) -> tuple[FoundBoxes, tuple[Tensor, ...], Tensor]:
        """What is found, the feature maps of the layers ``keep``, and the scale of the input."""
        pixels, scale = self._input(images)
        output, maps = self._network(pixels, keep)  # [B, A, 85]
        half = output[..., 2:4] / 2
        box = torch.cat([output[..., :2] - half, output[..., :2] + half], dim=-1) / scale.repeat(2)
        score = output[..., 4:5] * output[..., 5:][..., self._columns]  # [B, A, C]
        image_sizes = [(image.shape[1], image.shape[0]) for image in images]
        return find_boxes(box, score, image_sizes, min_score=self._min_score, max_iou=self._max_iou), maps, scale

    @torch.inference_mode()
    def _find_jointly(self, images: Sequence[Image]) -> list[JointDetections]:
        found, maps, scale = self._find(images, HEAD_LAYERS)
        embedding = self._embeddings(maps, found.image, found.box * scale.repeat(2)).cpu().numpy()
        parts = found.per_image(len(images))
        ends = np.cumsum([len(part.score) for part in parts])[:-1]
        pairs = zip(parts, np.split(embedding, ends), strict=True)
        return [JointDetections(part.box, part.score, part.class_id, vectors) for part, vectors in pairs]

    def _embeddings(self, maps: Sequence[Tensor], image: Tensor, boxes: Tensor) -> Tensor:
        """Of boxes [n, 4] in px of the network's input, [n, D]."""
        return unit_length(self._require_head()(maps, image, boxes))

    def _require_head(self) -> EmbeddingHead:
        if self._head is None:
            raise InputError(f"{self.name} was made without its embedding head; use embed=True")
        return self._head


def fitting_size(height: int, width: int, pixels: int) -> tuple[int, int]:
    """Height and width in multiples of 32, of about ``pixels`` at most, nearly in the proportion of the image."""
    most = max(pixels // _STRIDE**2, 1)  # cells of 32 × 32 px
    columns = min(max(round(sqrt(most * width / height)), 1), most)
    rows = min(max(round(columns * height / width), 1), most)
    return rows * _STRIDE, columns * _STRIDE


def _of_one_size(images: Sequence[Image]) -> list[list[Image]]:
    """Neighbours of one size together, order kept."""
    return [list(group) for _, group in groupby(images, key=lambda image: image.shape)]
