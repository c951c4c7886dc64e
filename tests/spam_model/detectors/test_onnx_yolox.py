"""YOLOX through ONNX Runtime: decoding against numbers worked out by hand, and against a published detection file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from spam_model.data.clip import Clip
from spam_model.detectors.coco import COCO_CLASSES, coco_columns
from spam_model.detectors.onnx_yolox import OnnxYolox
from spam_model.errors import DeviceError, FormatError, InputError
from tests.spam_model.detectors.shared import CAMPUS, YOLOX

ANCHORS = 52 * 52 + 26 * 26 + 13 * 13


class FakeSession:
    """Answers every image with ``output``, and keeps what it was given."""

    output = np.zeros((1, ANCHORS, 85), np.float32)
    size = (416, 416)
    given: np.ndarray

    gpu_works = True

    def __init__(self, path: str, providers: list[str | tuple[str, dict[str, str]]]) -> None:
        assert Path(path).is_file()
        names = [provider if isinstance(provider, str) else provider[0] for provider in providers]
        self.providers = names if self.gpu_works else ["CPUExecutionProvider"]
        assert names[-1] == "CPUExecutionProvider"

    def get_providers(self) -> list[str]:
        return self.providers

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="images", shape=[1, 3, *self.size])]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(shape=list(self.output.shape))]

    def run(self, _: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        FakeSession.given = inputs["images"]
        return [self.output]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"a stand-in")
    return path


def set_output(monkeypatch: pytest.MonkeyPatch, rows: dict[int, list[float]]) -> None:
    """Rows of anchor -> [dx, dy, log w, log h, objectness, person, bicycle]."""
    output = np.zeros((1, ANCHORS, 85), np.float32)
    for anchor, values in rows.items():
        output[0, anchor, :7] = values
    monkeypatch.setattr(FakeSession, "output", output)


def test_cells_of_every_stride_decode_to_pixels_of_the_image(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log4 = float(np.log(4))
    set_output(
        monkeypatch,
        {
            52 * 10 + 20: [0.5, 0.25, log4, log4, 0.8, 0.5, 0],  # stride 8: centre (164, 82), 32 px
            52 * 52 + 26 * 3 + 5: [0, 0, 0, log4, 0.9, 1.0, 0],  # stride 16: centre (80, 48), 16 × 64 px
            52 * 52 + 26 * 26 + 13 * 12 + 12: [0.5, 0.5, 0, 0, 1.0, 0.3, 0],  # stride 32: centre (400, 400), 32 px
        },
    )
    (found,) = OnnxYolox(model).detect([np.zeros((832, 832, 3), np.uint8)])  # twice the input
    assert found.score == pytest.approx([0.9, 0.4, 0.3])
    assert found.box == pytest.approx(
        np.array([[144, 32, 176, 160], [296, 132, 360, 196], [768, 768, 832, 832]]), abs=1e-4
    )


def test_the_image_lies_top_left_on_grey_as_raw_bgr(model: Path) -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:] = (10, 20, 30)
    OnnxYolox(model).detect([image])
    assert FakeSession.given.shape == (1, 3, 416, 416)
    assert FakeSession.given.dtype == np.float32
    assert FakeSession.given[0, :, 5, 5].tolist() == [10, 20, 30]
    assert FakeSession.given[0, :, 207, 415].tolist() == [10, 20, 30]
    assert FakeSession.given[0, :, 208, 0].tolist() == [114, 114, 114]


def test_only_the_asked_classes_above_the_threshold_are_found(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_output(
        monkeypatch,
        {
            0: [0.5, 0.5, 2, 2, 1.0, 0.6, 0.7],
            300: [0.5, 0.5, 2, 2, 1.0, 0.09, 0.2],
            600: [0.5, 0.5, 2, 2, 0.2, 0.4, 0.1],
        },
    )
    image = [np.zeros((416, 416, 3), np.uint8)]
    assert OnnxYolox(model).detect(image)[0].score == pytest.approx([0.6])
    both = OnnxYolox(model, class_names=("bicycle", "person")).detect(image)[0]
    assert both.score == pytest.approx([0.7, 0.6, 0.2])
    assert both.class_id.tolist() == [0, 1, 0]


def test_coco_has_eighty_classes_and_names_what_it_lacks() -> None:
    assert len(COCO_CLASSES) == len(set(COCO_CLASSES)) == 80
    assert coco_columns(("toothbrush", "person", "traffic light", "potted plant")) == [79, 0, 9, 58]
    with pytest.raises(InputError, match="COCO has no class 'unicorn'"):
        coco_columns(("person", "unicorn"))


def test_a_model_of_another_kind_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSession, "output", np.zeros((1, ANCHORS, 6), np.float32))
    with pytest.raises(FormatError, match=r"YOLOX with COCO's classes gives \[1, 3549, 85\]"):
        OnnxYolox(model)
    monkeypatch.setattr(FakeSession, "size", ("height", "width"))
    with pytest.raises(FormatError, match="multiples of 32"):
        OnnxYolox(model)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(FormatError, match="not a model that ONNX Runtime can load"):
        OnnxYolox(path)
    with pytest.raises(InputError, match="no such model file"):
        OnnxYolox(tmp_path / "missing.onnx")


GPU, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("device", "available", "gpu_works", "expected"),
    [
        ("auto", [CPU], True, "cpu"),
        ("auto", [GPU, CPU], True, "cuda"),
        ("auto", [GPU, CPU], False, "cpu"),  # libraries are missing: ONNX Runtime falls back
        ("cuda", [GPU, CPU], True, "cuda"),
        ("cuda:1", [GPU, CPU], True, "cuda"),
        ("cpu", [GPU, CPU], True, "cpu"),
        ("cuda", [CPU], True, None),
        ("cuda", [GPU, CPU], False, None),
        ("abacus", [CPU], True, None),
        ("cuda:first", [GPU, CPU], True, None),
    ],
)
def test_it_runs_where_it_says(
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    available: list[str],
    gpu_works: bool,
    expected: str | None,
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(FakeSession, "gpu_works", gpu_works)
    if expected is None:
        with pytest.raises(DeviceError, match=f"--device {device}"):
            OnnxYolox(model, device=device)
    else:
        assert OnnxYolox(model, device=device).device == expected


@pytest.mark.shared_data
@pytest.mark.skipif(not (CAMPUS.is_dir() and YOLOX.is_file()), reason="no development data (CVAT_SPAM_DATA)")
def test_it_reproduces_a_published_detection_file() -> None:
    """Made with score ≥ 0.03 and IoU ≤ 0.6; corners there are 0-based, rounded to 0.01 px, scores to 0.0001."""
    detector = OnnxYolox(YOLOX, min_score=0.03, max_iou=0.6)
    table = np.loadtxt(CAMPUS / "det" / "yolox_nano.txt", delimiter=",")
    for index, image in Clip.open(CAMPUS).frames(0, 25):
        rows = table[table[:, 0] == index + 1]
        rows = rows[np.argsort(-rows[:, 6], kind="stable")]
        (found,) = detector.detect([image])
        assert len(found.score) == len(rows)
        assert found.score == pytest.approx(rows[:, 6], abs=2e-4)
        expected = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
        swapped = np.abs(found.box - expected).max(axis=1) > 0.03  # equal scores to 4 digits may change places
        assert swapped.sum() <= 2
