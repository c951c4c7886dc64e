"""YOLOv4-tiny by OpenCV. The network itself is tested where its weights are in the cache (spam-model fetch-weights)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spam_model.appearance.colour_histogram import ColourHistogram
from spam_model.data.clip import Clip
from spam_model.data.motchallenge import read_ground_truth
from spam_model.detectors.fetch import cache_folder
from spam_model.detectors.sources import ImageDetectorSource
from spam_model.detectors.yolov4_tiny import YoloV4Tiny
from spam_model.errors import DeviceError, FormatError
from tests.spam_model.detectors.shared import CAMPUS, recall_and_precision

WEIGHTS = cache_folder() / "yolov4-tiny"

# One convolution without bias or activation, then a detection layer with one anchor of 100 × 200 px: small enough to
# work out by hand, and read by OpenCV like the real one.
TINY = b"""[net]
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


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A network that answers with its biases, whatever the image: 13 × 13 boxes of one size, person at 0.5 · 0.8."""
    bias = np.full(85, -20.0, np.float32)
    bias[:6] = [0, 0, 0, 0, 0, np.log(4)]  # cell middle, anchor size, objectness 0.5, person 0.8
    bias[7] = 0  # car at 0.5 · 0.5
    header = np.array([0, 2, 5, 0, 0], np.int32).tobytes()
    weights = np.concatenate([bias, np.zeros(85 * 3 * 32 * 32, np.float32)]).tobytes()
    (tmp_path / "yolov4-tiny.cfg").write_bytes(TINY)
    (tmp_path / "yolov4-tiny.weights").write_bytes(header + weights)
    return tmp_path


def test_outputs_decode_to_boxes_of_the_image(tiny: Path) -> None:
    image = np.zeros((208, 832, 3), np.uint8)  # half as high and twice as wide as the input
    (found,) = YoloV4Tiny(tiny, max_iou=1.0).detect([image])
    assert len(found.score) == 169
    assert found.score == pytest.approx(0.4, abs=1e-5)
    middle = (found.box[:, :2] + found.box[:, 2:]) / 2
    size = found.box[:, 2:] - found.box[:, :2]
    assert size == pytest.approx(np.tile([200, 100], (169, 1)), abs=1e-3)
    assert np.unique(np.round(middle[:, 0])).tolist() == [32 + 64 * i for i in range(13)]
    assert np.unique(np.round(middle[:, 1])).tolist() == [8 + 16 * i for i in range(13)]


def test_classes_and_threshold_are_as_asked_also_below_opencvs_own(tiny: Path) -> None:
    image = [np.zeros((416, 416, 3), np.uint8)]
    both = YoloV4Tiny(tiny, class_names=("car", "person"), max_iou=1.0).detect(image)[0]
    assert sorted(set(both.class_id.tolist())) == [0, 1]
    assert both.score[both.class_id == 0] == pytest.approx(0.25, abs=1e-5)
    assert len(YoloV4Tiny(tiny, min_score=0.3, class_names=("car",)).detect(image)[0].score) == 0
    biases = np.fromfile(tiny / "yolov4-tiny.weights", np.float32)
    biases[5 + 5] = np.log(0.25)  # person at 0.5 · 0.2, which OpenCV drops by default
    biases.tofile(tiny / "yolov4-tiny.weights")
    assert YoloV4Tiny(tiny, min_score=0.05).detect(image)[0].score == pytest.approx(0.1, abs=1e-5)


def test_files_that_are_no_network_are_refused(tiny: Path) -> None:
    (tiny / "yolov4-tiny.cfg").write_bytes(b"[nonsense]\nthis=that\n")
    with pytest.raises(FormatError, match="OpenCV cannot read the network"):
        YoloV4Tiny(tiny)


def test_a_gpu_is_refused_and_the_alternative_named() -> None:
    with pytest.raises(DeviceError, match=r"runs on the CPU only.*onnx-yolox"):
        YoloV4Tiny(Path("unused"), device="cuda")


@pytest.mark.shared_data
@pytest.mark.skipif(not CAMPUS.is_dir(), reason="no development data (CVAT_SPAM_DATA)")
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no weights in the cache (spam-model fetch-weights)")
def test_it_finds_people_on_real_video() -> None:
    clip = Clip.open(CAMPUS)
    frames = range(0, clip.info.frame_count, 4)
    truth = read_ground_truth(CAMPUS / "gt" / "gt.txt", clip.info)
    rows = np.isin(truth.frame, frames)
    truth = replace(
        truth, **{f: getattr(truth, f)[rows] for f in ("track", "frame", "box", "class_id", "visibility", "ignored")}
    )
    source = ImageDetectorSource(YoloV4Tiny(), ColourHistogram())
    recall, precision = recall_and_precision(
        source.detect_frames([clip.frame(frame) for frame in frames], frames, clip.info), truth
    )
    assert recall > 0.8
    assert precision > 0.3
