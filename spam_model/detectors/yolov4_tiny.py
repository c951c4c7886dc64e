"""YOLOv4-tiny (Bochkovskiy et al., "YOLOv4: Optimal Speed and Accuracy of Object Detection", 2020) run by OpenCV.

The default: small, fast on a CPU, COCO classes, and its weights can be fetched with nothing but pip. OpenCV reads
Darknet's own files up to release 4.x; 5.0 dropped that importer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from spam_model.data.clip import Image
from spam_model.detectors.base import Detections
from spam_model.detectors.coco import coco_columns
from spam_model.detectors.fetch import fetch_weights
from spam_model.detectors.nms import suppressed
from spam_model.errors import DeviceError, FormatError

_SIDE = 416  # px, the input that the weights were trained for
_FLOOR = 0.01  # OpenCV drops scores below 0.2 unless the configuration says otherwise


class YoloV4Tiny:
    """Class probabilities times objectness as score. Images are stretched to the square input, as in training."""

    name = "yolov4-tiny"
    device = "cpu"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        class_names: tuple[str, ...] = ("person",),
        min_score: float = 0.1,
        max_iou: float = 0.7,
        device: str = "auto",
    ) -> None:
        """Args: ``folder`` with yolov4-tiny.cfg and .weights, by default the cache; others as for ``OnnxYolox``.

        Raises:
            InputError: COCO has no such class.
            FetchError: the weights are not in the cache and cannot be fetched.
            FormatError: OpenCV cannot read them.
            DeviceError: a GPU is asked for.
        """
        if device not in ("auto", "cpu"):
            raise DeviceError(
                f"--device {device}: yolov4-tiny runs on the CPU only (OpenCV's wheels have no CUDA); use auto or cpu, "
                "or --detector onnx-yolox:PATH"
            )
        self.class_names = class_names
        self._columns = coco_columns(class_names)
        self._min_score = max(min_score, _FLOOR)
        self._max_iou = max_iou
        folder = fetch_weights("yolov4-tiny") if folder is None else folder
        configuration = (folder / "yolov4-tiny.cfg").read_bytes().replace(b"[yolo]", b"[yolo]\nthresh=%g" % _FLOOR)
        weights = np.fromfile(folder / "yolov4-tiny.weights", np.uint8)
        try:
            self._network = cv2.dnn.readNetFromDarknet(np.frombuffer(configuration, np.uint8), weights)
        except cv2.error as error:
            raise FormatError(f"{folder}: OpenCV cannot read the network ({error.err}); fetch it again") from error
        self._outputs = self._network.getUnconnectedOutLayersNames()

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Images [H, W, 3] uint8 BGR of any size -> detections of each."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> Detections:
        height, width = image.shape[:2]
        self._network.setInput(cv2.dnn.blobFromImage(image, 1 / 255, (_SIDE, _SIDE), swapRB=True))
        output = np.concatenate(self._network.forward(self._outputs)).astype(np.float64)  # [A, 85]
        score = output[:, 5:][:, self._columns]  # [A, C], objectness included
        anchor, class_id = np.nonzero(score >= self._min_score)
        half = output[anchor, 2:4] / 2
        box = np.concatenate([output[anchor, :2] - half, output[anchor, :2] + half], axis=1)
        box *= np.array([width, height, width, height])
        return suppressed(box, score[anchor, class_id], class_id, (width, height), self._max_iou)
