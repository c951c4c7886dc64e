"""YOLOX models (Ge et al., "YOLOX: Exceeding YOLO Series in 2021") exported to ONNX, run by ONNX Runtime.

The export keeps the network's raw output: per cell of the grids of strides 8, 16 and 32 an offset, a log size, an
objectness and 80 class probabilities. Input is raw BGR, 0 … 255, scaled to fit the top left, the rest filled with 114.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from spam_model.data.clip import Image
from spam_model.detectors.base import Detections
from spam_model.detectors.coco import COCO_CLASSES, coco_columns
from spam_model.detectors.dense_output import find_boxes
from spam_model.detectors.letterbox import letterbox
from spam_model.detectors.yolox_network import STRIDES, cells, decode_boxes
from spam_model.errors import DeviceError, FormatError, InputError

_CUDA = "CUDAExecutionProvider"


class OnnxYolox:
    """Class probabilities times objectness as score. A box may reach beyond the image."""

    def __init__(
        self,
        path: Path,
        *,
        class_names: tuple[str, ...] = ("person",),
        min_score: float = 0.1,
        max_iou: float = 0.7,
        device: str = "auto",
    ) -> None:
        """Args: ``min_score`` in [0, 1]; ``max_iou`` of two boxes that both stay; ``device`` auto, cpu or cuda.

        Raises:
            InputError: there is no such file, or COCO has no such class.
            FormatError: the file is not a YOLOX model with COCO's classes.
            DeviceError: a GPU is asked for that ONNX Runtime does not see.
        """
        if not path.is_file():
            raise InputError(f"{path}: no such model file; export one from YOLOX, or use --detector yolov4-tiny")
        self.name = f"onnx-yolox:{path.name}"
        self.class_names = class_names
        self._columns = coco_columns(class_names)
        self._min_score = min_score
        self._max_iou = max_iou
        providers = _providers(device)
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=providers)
        except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
            raise FormatError(f"{path}: not a model that ONNX Runtime can load ({error})") from error
        on_gpu = self._session.get_providers()[0] == _CUDA  # ONNX Runtime falls back in silence
        if device.startswith("cuda") and not on_gpu:
            raise DeviceError(
                f"--device {device}: ONNX Runtime cannot use the GPU here; check its CUDA and cuDNN, or use cpu"
            )
        self.device = "cuda" if on_gpu else "cpu"
        self._input = self._session.get_inputs()[0]
        shape = self._input.shape
        if len(shape) != 4 or not all(isinstance(side, int) and side % STRIDES[-1] == 0 for side in shape[2:]):
            raise FormatError(f"{path}: takes input of shape {shape}; needs [1, 3, H, W] with H and W multiples of 32")
        self._size = shape[2], shape[3]
        self._cell, self._stride = cells(*self._size)  # [A, 2], [A, 1]
        expected = [len(self._cell), 5 + len(COCO_CLASSES)]
        if self._session.get_outputs()[0].shape[1:] != expected:
            raise FormatError(
                f"{path}: gives output of shape {self._session.get_outputs()[0].shape}; "
                f"YOLOX with COCO's classes gives [1, {expected[0]}, {expected[1]}]"
            )

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Images [H, W, 3] uint8 BGR of any size -> detections of each."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> Detections:
        prepared = letterbox([image], self._size)
        pixels = np.ascontiguousarray(prepared.pixels.numpy(), np.float32)  # [1, 3, H, W]
        output = torch.from_numpy(self._session.run(None, {self._input.name: pixels})[0])  # [1, A, 85]
        box = decode_boxes(output, self._cell, self._stride) / prepared.scale.repeat(1, 2)[:, None]
        score = output[..., 4:5] * output[..., 5:][..., self._columns]  # [1, A, C]
        image_size = image.shape[1], image.shape[0]
        return find_boxes(box, score, [image_size], min_score=self._min_score, max_iou=self._max_iou).per_image(1)[0]


def _providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    """ONNX Runtime's names for where the model may run, the preferred one first."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise DeviceError(f"--device {device}: not a device; use auto, cpu, cuda or cuda:N")
    has_gpu = _CUDA in onnxruntime.get_available_providers()
    if device.startswith("cuda") and not has_gpu:
        raise DeviceError(f"--device {device}: this ONNX Runtime has no CUDA; install onnxruntime-gpu, or use cpu")
    if has_gpu and device != "cpu":
        return [(_CUDA, {"device_id": device.partition(":")[2] or "0"}), "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]
