"""Detectors that give boxes and embeddings in one forward pass (TDT), and whose feature maps others may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from spam_model.data.clip import Image
from spam_model.detectors.base import Detections
from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.values.candidates import FloatArray


@dataclass(frozen=True)
class JointDetections(Detections):
    """Boxes of one image, best first, each with its embedding: [n, D] float32, L2-normalised."""

    embedding: FloatArray


@runtime_checkable
class JointDetector(Protocol):
    """A ``Detector`` that is an ``Appearance`` model too."""

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def dimension(self) -> int:
        """D, of the embeddings; 0 where there is no embedding head."""
        ...

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the feature maps, the finest first."""
        ...

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each of the feature maps."""
        ...

    def detect(self, images: Sequence[Image]) -> list[Detections]: ...

    def detect_jointly(self, images: Sequence[Image]) -> list[JointDetections]:
        """Images [H, W, 3] uint8 BGR of any size -> boxes and embeddings, one forward pass for images of one size."""
        ...

    def features(self, images: Sequence[Image]) -> FeatureMaps:
        """Feature maps of images that are all of one size, without gradients."""
        ...

    def embed(self, image: Image, boxes: FloatArray) -> FloatArray:
        """Boxes [n, 4] x1 y1 x2 y2 in px that come from elsewhere -> [n, D] float32, L2-normalised."""
        ...
