"""The network of ``small``: a YOLOX between nano and tiny, with whole convolutions, for people only."""

from __future__ import annotations

from torch import Tensor

from spam_model.detectors.yolox_network import YoloxConfig, YoloxNetwork

SMALL = YoloxConfig(depth=0.33, width=0.25, class_count=1)  # 2.2 million parameters, 2.9 GFLOP at 416×416
CLASS_NAMES = ("person",)
_MEAN, _SCALE = 114.0, 58.0


def small_network() -> YoloxNetwork:
    """With random weights."""
    return YoloxNetwork(SMALL)


def normalised(pixels: Tensor) -> Tensor:
    """BGR 0 … 255 of any type -> what the network takes, float32."""
    return (pixels.float() - _MEAN) / _SCALE
