"""Small networks in Darknet's format, and OpenCV's reading of them: the oracle of ours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from spam_model.values.candidates import FloatArray

# One convolution without bias or activation, then a detection layer with one anchor of 100 × 200 px: small enough to
# work out by hand.
ONE_LAYER = b"""[net]
width=416
height=416
channels=3

[convolutional]
filters=85
size=32
stride=32
pad=0
activation=linear

[yolo]
mask=0
anchors=100,200
classes=80
num=1
"""

# Every kind of layer that YOLOv4-tiny has.
ALL_KINDS = b"""[net]
# comments and blank lines do no harm
width=64
height=64
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[route]
layers=-1
groups=2
group_id=1

[convolutional]
batch_normalize=1
filters=6
size=3
stride=1
pad=1
activation=leaky

[route]
layers = -1,-3

[maxpool]
size=2
stride=2

[convolutional]
size=1
stride=1
pad=1
filters=255
activation=linear

[yolo]
mask = 1,2,3
anchors = 10,14,  23,27,  37,58,  81,82
classes=80
num=4
scale_x_y = 1.05

[route]
layers = -3

[upsample]
stride=2

[route]
layers = -1, 3

[convolutional]
filters=170
size=1
stride=1
pad=1
activation=linear

[yolo]
mask = 0,1
anchors = 10,14,  23,27,  37,58,  81,82
classes=80
num=4
"""


def write_one_layer(folder: Path) -> Path:
    """A network that answers with its biases, whatever the image: 13 × 13 boxes of one size, person at 0.5 · 0.8."""
    bias = np.full(85, -20.0, np.float32)
    bias[:6] = [0, 0, 0, 0, 0, np.log(4)]  # cell middle, anchor size, objectness 0.5, person 0.8
    bias[7] = 0  # car at 0.5 · 0.5
    return write_files(folder, ONE_LAYER, np.concatenate([bias, np.zeros(85 * 3 * 32 * 32, np.float32)]))


def write_all_kinds(folder: Path, seed: int = 0) -> Path:
    """Random weights."""
    rng = np.random.default_rng(seed)
    parts = []
    for inputs, outputs, size, normalised in (
        (3, 8, 3, True),
        (4, 6, 3, True),
        (14, 255, 1, False),
        (28, 170, 1, False),
    ):
        parts.append(rng.normal(0, 0.5, outputs))
        if normalised:
            parts += [rng.uniform(0.5, 2, outputs), rng.normal(0, 0.5, outputs), rng.uniform(0.1, 2, outputs)]
        parts.append(rng.normal(0, 0.5, outputs * inputs * size * size))
    return write_files(folder, ALL_KINDS, np.concatenate(parts).astype(np.float32))


def write_files(folder: Path, configuration: bytes, values: FloatArray) -> Path:
    (folder / "yolov4-tiny.cfg").write_bytes(configuration)
    header = np.array([0, 2, 5, 0, 0], np.int32).tobytes()
    (folder / "yolov4-tiny.weights").write_bytes(header + values.astype(np.float32).tobytes())
    return folder


def opencv_reading(folder: Path, blob: FloatArray) -> FloatArray:
    """What OpenCV 4 makes of the files: [1, 3, H, W] -> [A, 85]; box as shares of the image, scores with objectness."""
    configuration = (folder / "yolov4-tiny.cfg").read_bytes().replace(b"[yolo]", b"[yolo]\nthresh=0.0001")
    weights = np.fromfile(folder / "yolov4-tiny.weights", np.uint8)
    network = cv2.dnn.readNetFromDarknet(np.frombuffer(configuration, np.uint8), weights)
    network.setInput(blob)
    return np.concatenate(network.forward(network.getUnconnectedOutLayersNames()))
