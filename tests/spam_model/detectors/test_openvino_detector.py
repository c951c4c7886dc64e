"""OpenVINO detectors: reading SSD's rows, and a published detection file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from spam_model.data.clip import Clip
from spam_model.detectors.openvino_detector import OpenVinoDetector
from spam_model.errors import DeviceError, FormatError, InputError
from spam_model.geometry import iou_matrix
from tests.spam_model.detectors.shared import CAMPUS, SHARED

RETAIL = SHARED / "weights" / "person-detection-retail-0013.xml"


def made(folder: Path, rows: list[list[float]], output_shape: tuple[int, ...] | None = None) -> Path:
    """A model that answers every image with ``rows``."""
    openvino = pytest.importorskip("openvino")
    from openvino import opset13 as ops

    image = ops.parameter([1, 3, 32, 64], np.float32, name="data")
    answer = ops.constant(np.array(rows, np.float32).reshape(output_shape or (1, 1, -1, 7)))
    nothing = ops.multiply(ops.reduce_sum(image, ops.constant([0, 1, 2, 3]), False), ops.constant(np.float32(0)))
    path = folder / "made.xml"
    openvino.save_model(openvino.Model([ops.add(answer, nothing)], [image], "made"), path, compress_to_fp16=False)
    return path


def test_rows_become_boxes_of_the_image_best_first(tmp_path: Path) -> None:
    rows = [
        [0, 1, 0.3, 0.1, 0.2, 0.5, 0.6],
        [0, 2, 0.9, 0.0, 0.0, 1.0, 1.0],
        [0, 3, 0.8, 0.0, 0.0, 1.0, 1.0],  # a label without a name
        [0, 1, 0.7, -0.1, 0.5, 0.25, 1.1],
        [0, 1, 0.05, 0.1, 0.1, 0.5, 0.5],  # below the threshold
        [0, 1, 0.6, 0.5, 0.5, 0.5, 0.9],  # no area
        [-1, 0, 0, 0, 0, 0, 0],
        [0, 1, 0.99, 0, 0, 1, 1],  # left over from an earlier run
    ]
    detector = OpenVinoDetector(made(tmp_path, rows), class_names=("person", "car"))
    both = detector.detect([np.zeros((100, 200, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)])
    assert both[0].box == pytest.approx(np.array([[0, 0, 200, 100], [-20, 50, 50, 110], [20, 20, 100, 60]]), abs=1e-4)
    assert both[0].score == pytest.approx([0.9, 0.7, 0.3])
    assert both[0].class_id.tolist() == [1, 0, 0]
    assert both[1].box == pytest.approx(both[0].box / [200, 100, 200, 100])


@pytest.mark.parametrize("shape", [(1, 1, 7, 2), (14,)])
def test_a_model_of_another_kind_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(
        FormatError, match=r"a detector of SSD's kind takes one \[1, 3, H, W\] and gives \[1, 1, N, 7\]"
    ):
        OpenVinoDetector(made(tmp_path, [[0.0] * 7] * 2, shape))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path, [[0.0] * 7])
    path.write_text("<net>")
    with pytest.raises(FormatError, match="not a model that OpenVINO can load"):
        OpenVinoDetector(path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(InputError, match=r"made\.bin: no such file"):
        OpenVinoDetector(path)
    with pytest.raises(InputError, match=r"missing\.xml: no such file"):
        OpenVinoDetector(tmp_path / "missing.xml")


def test_without_openvino_or_with_a_gpu_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"pip install 'cvat-spam\[openvino\]'"):
        OpenVinoDetector(tmp_path / "any.xml")
    with pytest.raises(DeviceError, match="--device cuda"):
        OpenVinoDetector(tmp_path / "any.xml", device="cuda")


@pytest.mark.shared_data
@pytest.mark.skipif(not (CAMPUS.is_dir() and RETAIL.is_file()), reason="no development data (CVAT_SPAM_DATA)")
def test_it_agrees_with_a_published_detection_file() -> None:
    """Sure boxes only: the file has more of those near its threshold, made by another build."""
    pytest.importorskip("openvino")
    detector = OpenVinoDetector(RETAIL, min_score=0.05)
    table = np.loadtxt(CAMPUS / "det" / "retail0013.txt", delimiter=",")
    seen = 0
    for index, image in Clip.open(CAMPUS).frames(0, 10):
        rows = table[(table[:, 0] == index + 1) & (table[:, 6] > 0.3)]
        (found,) = detector.detect([image])
        overlap = iou_matrix(np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1), found.box)
        assert overlap.max(axis=1).min() > 0.95
        assert found.score[overlap.argmax(axis=1)] == pytest.approx(rows[:, 6], abs=0.03)
        seen += len(rows)
    assert seen > 30
