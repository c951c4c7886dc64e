from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.data.clip import Image
from spam_model.detectors.joint import JointDetector
from spam_model.detectors.registry import create_detector
from spam_model.detectors.small import Small
from spam_model.detectors.small_network import small_network
from spam_model.detectors.trained_weights import load_trained, write_trained
from spam_model.errors import FormatError, InputError
from spam_model.eyes.embedding_head import EmbeddingHead, HeadShape


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    write_trained(path, "small", small_network(), {"data": "none"}, half=True)
    return path


@pytest.fixture(scope="module")
def detector(weights: Path) -> Small:
    torch.manual_seed(1)
    head = EmbeddingHead(HeadShape("small", (64, 128, 256), (8, 16, 32), dimension=16))
    path = weights.parent / "heads" / "any.safetensors"
    head.save(path)
    return Small(weights, head=path, min_score=1e-5, input_size=(96, 128))


def images() -> list[Image]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (side, 160, 3), dtype=np.uint8) for side in (90, 90, 200)]


def test_weights_in_half_precision_are_small_enough_to_ship(weights: Path) -> None:
    assert weights.stat().st_size < 8e6
    network = small_network()
    assert load_trained(weights, "small", network) == {"data": "none"}


def test_a_batch_gives_what_single_images_give(detector: Small) -> None:
    together = detector.detect_jointly(images())
    for alone, batched in zip((detector.detect_jointly([image])[0] for image in images()), together, strict=True):
        assert len(alone.box) == len(batched.box) > 0
        assert np.allclose(alone.box, batched.box, atol=1e-2)
        assert np.allclose(alone.score, batched.score, atol=1e-5)
        assert np.allclose(alone.embedding, batched.embedding, atol=1e-3)
        assert np.allclose(np.linalg.norm(batched.embedding, axis=1), 1, atol=1e-5)


def test_boxes_that_come_from_elsewhere_are_embedded_alike(detector: Small) -> None:
    image = images()[0]
    found = detector.detect_jointly([image])[0]
    assert np.allclose(detector.embed(image, found.box), found.embedding, atol=1e-3)
    assert detector.embed(image, np.zeros((0, 4))).shape == (0, 16)


def test_it_is_a_joint_detector_with_maps_where_boxes_lie(detector: Small) -> None:
    assert isinstance(detector, JointDetector)
    maps = detector.features(images()[:2])
    assert [tuple(level.shape) for level in maps.maps] == [(2, 64, 12, 16), (2, 128, 6, 8), (2, 256, 3, 4)]
    assert maps.scale.tolist() == pytest.approx([128 / 160, 72 / 90])
    assert (maps.strides, detector.channels) == (detector.strides, (64, 128, 256))


def test_without_a_head_it_only_detects(weights: Path) -> None:
    plain = create_detector(f"small:{weights}")
    assert isinstance(plain, Small)
    assert plain.dimension == 0
    with pytest.raises(InputError, match="no embedding head"):
        plain.embed(images()[0], np.array([[0.0, 0, 9, 9]]))


def test_a_head_beside_the_weights_is_found(weights: Path, detector: Small, tmp_path: Path) -> None:
    copied = tmp_path / "mine.safetensors"
    copied.write_bytes(weights.read_bytes())
    head = weights.parent / "heads" / "any.safetensors"
    (tmp_path / "mine.head.safetensors").write_bytes(head.read_bytes())
    assert Small(copied).dimension == detector.dimension == 16


def test_other_classes_and_files_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="small finds no 'car'; it finds person"):
        Small(weights, class_names=("car",))
    with pytest.raises(InputError, match="cannot read"):
        Small(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    write_trained(other, "yolov4-tiny", small_network(), {})
    with pytest.raises(FormatError, match="weights of yolov4-tiny, not of small"):
        Small(other)
    write_trained(other, "small", torch.nn.Linear(2, 2), {})
    with pytest.raises(FormatError, match="another small, they differ in"):
        Small(other)
    network = small_network()
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    write_trained(other, "small", network, {})
    with pytest.raises(FormatError, match="not numbers"):
        Small(other)
    other.write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"other\.safetensors: not a detector file"):
        Small(other)
