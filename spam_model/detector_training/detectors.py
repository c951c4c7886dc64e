"""Trainable detectors by name."""

from __future__ import annotations

from pathlib import Path

import torch

from spam_model.detector_training.trainable import TrainableDetector
from spam_model.detector_training.trainable_yolov4_tiny import TrainableYoloV4Tiny
from spam_model.detector_training.trainable_yolox import TrainableYolox
from spam_model.detectors.fetch import fetch_weights
from spam_model.detectors.small_network import CLASS_NAMES, normalised, small_network
from spam_model.detectors.trained_weights import load_trained
from spam_model.detectors.yolov4_tiny_network import DarknetNetwork
from spam_model.detectors.yolox_checkpoint import read_checkpoint
from spam_model.errors import InputError

TRAINABLE = "yolov4-tiny[:WEIGHTS], small:WEIGHTS or yolox-nano|tiny|s|m|l|x[:CHECKPOINT]"


def untrained_small(seed: int, device: torch.device) -> TrainableDetector:
    """The small detector with random weights."""
    torch.manual_seed(seed)
    return TrainableYolox("small", small_network().to(device), CLASS_NAMES, normalised)


def is_trainable(spec: str) -> bool:
    """Whether ``trainable_detector`` takes this name, wherever its weights are."""
    kind, _, path = spec.partition(":")
    return kind == "yolov4-tiny" or (kind == "small" and bool(path)) or kind.startswith("yolox-")


def trainable_detector(spec: str, device: torch.device) -> TrainableDetector:
    """A detector of ``TRAINABLE``, with the weights that it has.

    Raises:
        InputError: no such detector, or one that cannot be trained here.
        FetchError, FormatError: its weights cannot be had or read.
    """
    kind, _, path = spec.partition(":")
    if kind == "yolov4-tiny":
        darknet = DarknetNetwork(fetch_weights("yolov4-tiny"))
        if path:
            load_trained(Path(path), kind, darknet)
        return TrainableYoloV4Tiny(darknet.to(device))
    if kind == "small" and path:
        network = small_network()
        load_trained(Path(path), kind, network)
        return TrainableYolox(kind, network.to(device), CLASS_NAMES, normalised)
    if kind.startswith("yolox-"):
        size = kind.removeprefix("yolox-")
        file = Path(path) if path else fetch_weights(kind) / f"yolox_{size}.pth"
        checkpoint = read_checkpoint(file, size)
        return TrainableYolox(
            kind, checkpoint.network.to(device), checkpoint.class_names, checkpoint.pixel_format.prepare
        )
    raise InputError(f"--detector {spec}: cannot be trained; use {TRAINABLE}")
