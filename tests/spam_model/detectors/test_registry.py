"""Names to detectors, appearance models and sources; what a name does not need is not imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from spam_model.appearance.colour_histogram import ColourHistogram
from spam_model.data.clip import Clip, Image
from spam_model.detectors import registry
from spam_model.detectors.base import Detector
from spam_model.detectors.detect_clip import detect_clip
from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.detectors.joint import JointDetections
from spam_model.detectors.onnx_yolox import OnnxYolox
from spam_model.detectors.registry import create_appearance, create_detector, create_source
from spam_model.detectors.sources import ImageDetectorSource, JointDetectorSource
from spam_model.errors import InputError
from spam_model.values.candidates import FloatArray
from tests.spam_model.detectors.shared import YOLOX, BlobDetector, assert_same, write_blobs


class JointBlobs(BlobDetector):
    """Finds bright rectangles and embeds them by their colours, all in one call; counts its passes over images."""

    strides = (8,)
    channels = (1,)

    def __init__(self, dimension: int = ColourHistogram.dimension) -> None:
        self.dimension = dimension
        self.passes = 0
        self._colours = ColourHistogram()

    def detect_jointly(self, images: Sequence[Image]) -> list[JointDetections]:
        self.passes += 1
        return [
            JointDetections(part.box, part.score, part.class_id, self._colours.embed(image, part.box))
            for image, part in zip(images, self.detect(images), strict=True)
        ]

    def features(self, images: Sequence[Image]) -> FeatureMaps:
        raise NotImplementedError

    def embed(self, image: Image, boxes: FloatArray) -> FloatArray:
        self.passes += 1
        return self._colours.embed(image, boxes)


@pytest.fixture
def joint(monkeypatch: pytest.MonkeyPatch) -> JointBlobs:
    """``--detector joint-blobs``."""
    detector = JointBlobs()
    genuine = registry.create_detector

    def create(spec: str, **settings: object) -> Detector:
        return detector if spec == "joint-blobs" else genuine(spec, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(registry, "create_detector", create)
    return detector


@pytest.mark.parametrize("appearance", ["auto", "joint"])
def test_a_joint_detector_gives_boxes_and_embeddings_in_one_pass(
    tmp_path: Path, joint: JointBlobs, appearance: str
) -> None:
    clip = Clip.open(write_blobs(tmp_path / "BLOBS", 20))
    source = create_source("joint-blobs", appearance=appearance)
    assert isinstance(source, JointDetectorSource)
    assert source.appearance == "joint"
    found = detect_clip(source, clip, batch=8)
    assert joint.passes == 3
    apart = create_source("joint-blobs", appearance="colour-histogram")
    assert isinstance(apart, ImageDetectorSource)
    assert_same(detect_clip(apart, clip), found)


def test_a_joint_detector_embeds_boxes_that_come_from_a_file(tmp_path: Path, joint: JointBlobs) -> None:
    folder = write_blobs(tmp_path / "BLOBS", 20)
    found = detect_clip(create_source("file", folder=folder, appearance="joint:joint-blobs"), Clip.open(folder))
    assert joint.passes == 20
    expected = detect_clip(create_source("file", folder=folder, appearance="colour-histogram"), Clip.open(folder))
    assert np.array_equal(found.embedding, expected.embedding)


def test_without_an_embedding_head_auto_is_colour_histograms_and_joint_is_refused() -> None:
    plain, headless = BlobDetector(), JointBlobs(dimension=0)
    for detector in (plain, headless, None):
        assert isinstance(create_appearance("auto", detector=detector), ColourHistogram)
        with pytest.raises(InputError, match="has no embedding head; use joint:yolov4-tiny, or auto"):
            create_appearance("joint", detector=detector)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "no such detector; use yolov4-tiny"),
        ("yolov5", "no such detector; use yolov4-tiny"),
        ("yolox-huge", "yolox-huge: no such size"),
        ("yolox-s:missing.pth", "missing.pth: no such checkpoint"),
        ("onnx-yolox:missing.onnx", "missing.onnx: no such model file"),
        ("openvino:missing.xml", "missing.xml"),
        ("openvino", "no such detector"),
        ("yolov4-tiny:missing.safetensors", "missing.safetensors"),
    ],
)
def test_a_detector_that_is_not_there_is_named(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_detector(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("best", "no such appearance model; use auto"),
        ("resnet", "no such appearance model"),
        ("resnet:missing.safetensors", "missing.safetensors"),
        ("openvino:missing.xml", "missing.xml"),
        ("joint:yolov5", "--detector yolov5: no such detector"),
        ("none:", "no such appearance model"),
    ],
)
def test_an_appearance_model_that_is_not_there_is_named(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_appearance(spec)


@pytest.mark.shared_data
@pytest.mark.skipif(not YOLOX.is_file(), reason="no development data (CVAT_SPAM_DATA)")
def test_settings_reach_the_detector() -> None:
    detector = create_detector(f"onnx-yolox:{YOLOX}", class_names=("car", "dog"), device="cpu")
    assert isinstance(detector, OnnxYolox)
    assert (detector.class_names, detector.device) == (("car", "dog"), "cpu")


def test_what_a_name_does_not_need_is_not_imported() -> None:
    """An extra that is not installed, or a runtime that does not load here, hurts nobody who did not ask for it."""
    script = (
        "import sys; from spam_model.detectors.registry import create_source;"
        "create_source('file:x.txt', appearance='none');"
        "print([name for name in ('openvino', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
