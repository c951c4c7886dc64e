"""Checkpoints of YOLOX: the official ones, ByteTrack's, and those of ``spam-model finetune-detector``.

A ``.pth`` holds ``{"model": parameters, ...}``, a ``.safetensors`` the parameters alone. No code in either is run.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from spam_model.detectors.coco import COCO_CLASSES
from spam_model.detectors.yolox_network import SIZES, YoloxConfig, YoloxNetwork
from spam_model.errors import FormatError, InputError

_CLASS_NAMES = {1: ("person",), len(COCO_CLASSES): COCO_CLASSES}
_CLASS_BIAS = "head.cls_preds.0.bias"
_STEPS = "num_batches_tracked"  # of batch norms; needed by none
_SHOWN = 3  # names of parameters in a message
_MEAN = (123.675, 116.28, 103.53)  # of ImageNet, RGB 0 … 255
_DEVIATION = (58.395, 57.12, 57.375)
_NORMALISED_BELOW = 20.0  # on real frames raw pixels give the official nano's filters about 1 000, normalised ones 0.3


class PixelFormat(Enum):
    """What a network's input is made of. The value is what a message calls it."""

    RAW = "BGR 0 … 255"  # the official checkpoints since 0.1.1
    IMAGENET = "RGB, normalised as for ImageNet"  # ByteTrack, and YOLOX 0.1.0

    def prepare(self, pixels: Tensor) -> Tensor:
        """BGR 0 … 255 [B, 3, H, W] of any type -> what the network takes, float32."""
        pixels = pixels.float()
        if self is PixelFormat.RAW:
            return pixels
        mean, deviation = pixels.new_tensor(_MEAN), pixels.new_tensor(_DEVIATION)
        return (pixels.flip(1) - mean[:, None, None]) / deviation[:, None, None]


@dataclass(frozen=True)
class YoloxCheckpoint:
    """A network with its parameters, what it takes and what it finds."""

    network: YoloxNetwork
    pixel_format: PixelFormat
    class_names: tuple[str, ...]


def read_checkpoint(path: Path, size: str) -> YoloxCheckpoint:
    """Reads a checkpoint of YOLOX-``size`` with COCO's 80 classes, or with people only.

    Raises:
        InputError: there is no such size or file.
        FormatError: it is no checkpoint, or one of another network; says which parameters do not fit.
    """
    config = yolox_config(size)
    parameters = _read_parameters(path)
    count = len(parameters[_CLASS_BIAS]) if _CLASS_BIAS in parameters else config.class_count
    if count not in _CLASS_NAMES:
        raise FormatError(
            f"{path}: finds {count} classes whose names it does not say; a checkpoint has COCO's "
            f"{len(COCO_CLASSES)} classes, or 1 (people)"
        )
    config = replace(config, class_count=count)
    network = YoloxNetwork(config)
    problems = _mismatches(parameters, network.state_dict())
    if problems:
        raise FormatError(f"{path}: no checkpoint of yolox-{size} ({problems}). {_advice(parameters, config, path)}")
    network.load_state_dict(parameters, strict=False)
    return YoloxCheckpoint(network.eval(), _pixel_format(network), _CLASS_NAMES[count])


def yolox_config(size: str) -> YoloxConfig:
    """
    Raises:
        InputError: there is no such size.
    """
    if size not in SIZES:
        raise InputError(f"yolox-{size}: no such size; there are {', '.join(SIZES)}")
    return SIZES[size]


def _read_parameters(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; `spam-model fetch-weights --list` shows what can be fetched")
    try:
        if path.suffix == ".safetensors":
            content: object = load_file(path)
        else:
            with torch.serialization.safe_globals(_numpy_scalars()):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or ["it is empty"])[0]
        raise FormatError(
            f"{path}: not a checkpoint that can be read without running code in it ({reason}); "
            "fetch it again, or save its parameters alone as .safetensors"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise FormatError(f"{path}: holds no parameters; a checkpoint of YOLOX is a dict with 'model'")
    return {str(name): value for name, value in content.items()}


def _numpy_scalars() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What a checkpoint of YOLOX ≥ 0.3 notes its average precision with: a number, no code."""
    scalar: Callable[..., Any] = np.float64(0).__reduce__()[0]  # type: ignore[assignment]
    return [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, type(np.dtype(np.float64))]


def _mismatches(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """What does not fit, in words; empty where all does."""
    missing = [name for name in wanted if name not in given and not name.endswith(_STEPS)]
    unexpected = [name for name in given if name not in wanted]
    reshaped = [
        f"{name} {list(given[name].shape)} for {list(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    parts = (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
    return "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in parts if names)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _advice(given: Mapping[str, Tensor], config: YoloxConfig, path: Path) -> str:
    for size, other in SIZES.items():
        with torch.device("meta"):
            network = YoloxNetwork(replace(other, class_count=config.class_count))
        if not _mismatches(given, network.state_dict()):
            return f"It is one of yolox-{size}: use --detector yolox-{size}:{path}"
    return (
        f"It fits none of yolox-{', '.join(SIZES)}; check that it was made with the official network's layers "
        "(a TDT or ReID head beside it must be taken off)"
    )


def _pixel_format(network: YoloxNetwork) -> PixelFormat:
    """Read off the first batch norm, which keeps the variance of what the first convolution gave in training.

    By the filters' energy that is near the variance of the pixels: some 60² for raw ones, 1 for normalised ones.
    """
    block = network.backbone.backbone.stem.conv
    assert isinstance(block.bn, nn.BatchNorm2d)
    assert block.bn.running_var is not None
    energy = block.conv.weight.flatten(1).square().sum(dim=1)  # [out]
    variance = (block.bn.running_var / energy).median()
    return PixelFormat.IMAGENET if variance < _NORMALISED_BELOW else PixelFormat.RAW
