"""Detectors in OpenVINO's format with SSD's output (Liu et al., 2016), as many of Intel's Open Model Zoo.

``person-detection-retail-0013`` is one: BGR 0 … 255 stretched to 320×544 px in, and out come rows of image, label,
score and corners as shares of the image, duplicates already suppressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spam_model.data.clip import Image
from spam_model.detectors.base import Detections
from spam_model.detectors.letterbox import stretch
from spam_model.errors import DeviceError, FormatError
from spam_model.openvino_model import read_openvino

_COLUMNS = 7  # image, label, score, x1, y1, x2, y2


class OpenVinoDetector:
    """Runs on the CPU, in float32. Needs the extra ``openvino``."""

    device = "cpu"

    def __init__(
        self,
        path: Path,
        *,
        class_names: tuple[str, ...] = ("person",),
        min_score: float = 0.1,
        device: str = "auto",
    ) -> None:
        """Loads a model.

        Args:
            path: its ``.xml``; the ``.bin`` lies beside it.
            class_names: what its labels 1, 2, … mean, which the file does not say; other labels are left out.
            min_score: in [0, 1].
            device: auto or cpu.

        Raises:
            InputError: there is no such file, or openvino is not installed.
            FormatError: the file is no model of one image in and rows of boxes out.
            DeviceError: a GPU is asked for.
        """
        if device not in ("auto", "cpu"):
            raise DeviceError(f"--device {device}: OpenVINO models run on the CPU here; use auto or cpu")
        openvino, network = read_openvino(path)
        self.name = f"openvino:{path.name}"
        self.class_names = class_names
        self._min_score = min_score
        self._size = _input_size(path, network)
        prepared = openvino.preprocess.PrePostProcessor(network)
        prepared.input().tensor().set_element_type(openvino.Type.u8)
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        self._network = openvino.Core().compile_model(prepared.build(), "CPU", settings)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Images [H, W, 3] uint8 BGR of any size -> detections of each."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> Detections:
        pixels = np.ascontiguousarray(stretch([image], self._size).pixels.numpy())  # [1, 3, H, W]
        rows = self._network(pixels)[0].reshape(-1, _COLUMNS).astype(np.float64)  # [N, 7]
        end = np.flatnonzero(rows[:, 0] < 0)  # what follows the last box is of an earlier run
        rows = rows[: end[0]] if len(end) else rows
        known = (rows[:, 1] >= 1) & (rows[:, 1] <= len(self.class_names)) & (rows[:, 2] >= self._min_score)
        rows = rows[known & (rows[:, 5:] > rows[:, 3:5]).all(axis=1)]
        rows = rows[np.argsort(-rows[:, 2], kind="stable")]
        height, width = image.shape[:2]
        box = rows[:, 3:] * np.array([width, height, width, height])
        return Detections(box, np.clip(rows[:, 2], 0, 1), rows[:, 1].astype(np.int64) - 1)


def _input_size(path: Path, network: Any) -> tuple[int, int]:
    """Height and width."""
    taken = [port.partial_shape for port in network.inputs]
    given = [port.partial_shape for port in network.outputs]
    if len(taken) == 1 and len(given) == 1 and taken[0].is_static and given[0].is_static:
        shape = list(taken[0].to_shape())
        if len(shape) == 4 and shape[:2] == [1, 3] and list(given[0].to_shape())[-1:] == [_COLUMNS]:
            return shape[2], shape[3]
    raise FormatError(
        f"{path}: takes {taken} and gives {given}; a detector of SSD's kind takes one [1, 3, H, W] and gives "
        f"[1, 1, N, {_COLUMNS}]"
    )
