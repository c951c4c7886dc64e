"""Detectors as the training sees them: a network, and what it says at every anchor."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from torch import Tensor, nn

from spam_model.detector_training.predictions import DensePrediction


class Part(StrEnum):
    """Which weights are trained."""

    ALL = "all"
    DEEP = "deep"  # all but the early layers, which see edges and colours whatever the video
    HEAD = "head"  # those on which neither embeddings nor motion depend


class TrainableDetector(Protocol):
    """``network`` holds the weights; what a copy of it says is read off by ``predict``."""

    @property
    def name(self) -> str: ...

    @property
    def network(self) -> nn.Module: ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """All that the network tells apart."""
        ...

    def predict(self, network: nn.Module, images: Tensor, columns: Tensor) -> DensePrediction:
        """What ``network``, this detector's own or a copy, says of images.

        Args:
            images: [B, H, W, 3] uint8 BGR, sides multiples of 32.
            columns: [K] int64, the classes that are wanted, by their place in ``class_names``.
        """
        ...

    def parameters(self, part: Part) -> list[nn.Parameter]: ...
