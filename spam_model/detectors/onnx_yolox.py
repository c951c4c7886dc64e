"""YOLOX models (Ge et al., "YOLOX: Exceeding YOLO Series in 2021") exported to ONNX, run by ONNX Runtime.

The export keeps the network's raw output: per cell of the grids of strides 8, 16 and 32 an offset, a log size, an
objectness and 80 class probabilities. Input is raw BGR, 0 … 255, scaled to fit the top left, the rest filled with 114.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from spam_model.data.clip import Image
from spam_model.detectors.base import Detections
from spam_model.detectors.coco import COCO_CLASSES, coco_columns
from spam_model.detectors.nms import suppressed
from spam_model.errors import DeviceError, FormatError, InputError
from spam_model.values.candidates import FloatArray

_STRIDES = (8, 16, 32)
_FILL = 114
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
        if len(shape) != 4 or not all(isinstance(side, int) and side % _STRIDES[-1] == 0 for side in shape[2:]):
            raise FormatError(f"{path}: takes input of shape {shape}; needs [1, 3, H, W] with H and W multiples of 32")
        self._height, self._width = shape[2:]
        self._cell, self._stride = _grid(self._height, self._width)  # [A, 2], [A, 1]
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
        height, width = image.shape[:2]
        scale = min(self._height / height, self._width / width)
        canvas = np.full((self._height, self._width, 3), _FILL, np.uint8)
        fitted = cv2.resize(
            image, (max(1, int(width * scale)), max(1, int(height * scale))), interpolation=cv2.INTER_LINEAR
        )
        canvas[: fitted.shape[0], : fitted.shape[1]] = fitted
        tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)  # [1, 3, H, W]
        output = self._session.run(None, {self._input.name: tensor})[0][0].astype(np.float64)  # [A, 85]

        score = output[:, 4:5] * output[:, 5:][:, self._columns]  # [A, C]
        anchor, class_id = np.nonzero(score >= self._min_score)
        centre = (output[anchor, :2] + self._cell[anchor]) * self._stride[anchor]
        size = np.exp(output[anchor, 2:4]) * self._stride[anchor]
        box = np.concatenate([centre - size / 2, centre + size / 2], axis=1) / scale  # [K, 4]
        return suppressed(box, score[anchor, class_id], class_id, (width, height), self._max_iou)


def _grid(height: int, width: int) -> tuple[FloatArray, FloatArray]:
    """Column and row [A, 2] and stride [A, 1] of every cell, in the order of the network's output."""
    cells, strides = [], []
    for stride in _STRIDES:
        row, column = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([column, row], axis=-1).reshape(-1, 2))
        strides.append(np.full((row.size, 1), stride))
    return np.concatenate(cells).astype(np.float64), np.concatenate(strides).astype(np.float64)


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
