from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spam_model.detector_training.detectors import trainable_detector, untrained_small
from spam_model.detector_training.trainable import Part, TrainableDetector
from spam_model.detector_training.trainable_yolov4_tiny import TrainableYoloV4Tiny
from spam_model.detector_training.trainable_yolox import TrainableYolox
from spam_model.detectors.coco import COCO_CLASSES
from spam_model.detectors.fetch import cache_folder
from spam_model.detectors.small_network import normalised
from spam_model.detectors.trained_weights import write_trained
from spam_model.detectors.yolov4_tiny import FEATURE_LAYERS, HEAD_LAYERS, YoloV4Tiny
from spam_model.detectors.yolov4_tiny_network import DarknetNetwork
from spam_model.detectors.yolox_checkpoint import read_checkpoint
from spam_model.detectors.yolox_network import SIZES, YoloxConfig, YoloxNetwork, cells, decode_boxes
from spam_model.errors import InputError

WEIGHTS = cache_folder() / "yolov4-tiny"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no weights in the cache (spam-model fetch-weights)")
CPU = torch.device("cpu")


def pictures(height: int, width: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 255, (2, height, width, 3), dtype=np.uint8))


def parts(detector: TrainableDetector) -> list[set[int]]:
    return [{id(parameter) for parameter in detector.parameters(part)} for part in (Part.HEAD, Part.DEEP, Part.ALL)]


def tiny_yolox() -> TrainableYolox:
    torch.manual_seed(0)
    network = YoloxNetwork(YoloxConfig(depth=0.33, width=0.125, class_count=3)).eval()
    return TrainableYolox("tiny", network, ("person", "car", "cat"), normalised)


def test_yolox_says_in_training_what_it_says_in_use() -> None:
    detector, images = tiny_yolox(), pictures(64, 96)
    said = detector.predict(detector.network, images, torch.tensor([2, 0]))
    output = detector.network(normalised(images.permute(0, 3, 1, 2)))
    assert torch.allclose(said.box, decode_boxes(output, *cells(64, 96)), atol=1e-4)
    assert torch.allclose(said.objectness.sigmoid(), output[..., 4], atol=1e-6)
    assert torch.allclose(said.classes.sigmoid(), output[..., [7, 5]], atol=1e-6)
    assert said.centre[0].tolist() == [4, 4]
    assert said.centre[-1].tolist() == [80, 48]
    assert said.stride[[0, -1]].tolist() == [8, 32]


def test_the_parts_of_yolox_contain_each_other() -> None:
    head, deep, whole = parts(tiny_yolox())
    assert head < deep < whole


@needs_weights
def test_yolov4_tiny_says_in_training_what_it_says_in_use() -> None:
    network = DarknetNetwork(WEIGHTS).eval()
    images = pictures(64, 96)
    with torch.no_grad():
        said = TrainableYoloV4Tiny(network).predict(network, images, torch.tensor([0, 2]))
        output, _ = network(images.permute(0, 3, 1, 2).flip(1).float() / 255)
    half = output[..., 2:4] / 2
    assert torch.allclose(said.box, torch.cat([output[..., :2] - half, output[..., :2] + half], dim=-1), atol=1e-4)
    assert torch.allclose(said.objectness.sigmoid(), output[..., 4], atol=1e-6)
    assert torch.allclose(said.classes.sigmoid(), output[..., [5, 7]], atol=1e-6)
    coarse = said.stride == 32
    assert int(coarse.sum()) == 2 * 3 * 3
    assert said.centre[coarse][[0, 1, 3]].tolist() == [[16, 16], [16, 16], [48, 16]]


@needs_weights
@pytest.mark.parametrize(("part", "unchanged"), [(Part.HEAD, HEAD_LAYERS), (Part.DEEP, FEATURE_LAYERS)])
def test_other_models_read_no_map_that_a_part_changes(part: Part, unchanged: tuple[int, ...]) -> None:
    detector = TrainableYoloV4Tiny(DarknetNetwork(WEIGHTS).eval())
    pixels = pictures(64, 64).permute(0, 3, 1, 2).float() / 255
    assert isinstance(detector.network, DarknetNetwork)
    with torch.no_grad():
        before = detector.network.feature_maps(pixels, unchanged)
        for parameter in detector.parameters(part):
            parameter.add_(0.1)
        after = detector.network.feature_maps(pixels, unchanged)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    head, deep, whole = parts(detector)
    assert head < deep < whole


def test_the_small_detector_begins_at_random_and_by_its_seed() -> None:
    first, again, other = (untrained_small(seed, CPU).network.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("spec", ["small", "file:a.txt", "onnx-yolox:a.onnx", "nothing"])
def test_what_cannot_be_trained_is_said(spec: str) -> None:
    with pytest.raises(InputError, match="cannot be trained; use yolov4-tiny"):
        trainable_detector(spec, CPU)


def test_a_yolox_that_was_trained_here_is_a_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    given, trained = tmp_path / "given.safetensors", tmp_path / "trained.safetensors"
    save_file(YoloxNetwork(SIZES["nano"]).state_dict(), given)
    detector = trainable_detector(f"yolox-nano:{given}", CPU)
    assert detector.class_names == COCO_CLASSES
    with torch.no_grad():
        detector.parameters(Part.HEAD)[0].add_(0.1)
    write_trained(trained, "yolox-nano", detector.network, {})
    read = read_checkpoint(trained, "nano").network.state_dict()
    expected = detector.network.state_dict()
    assert all(torch.equal(read[name], expected[name]) for name in expected if expected[name].is_floating_point())


@needs_weights
def test_a_yolov4_tiny_that_was_trained_here_is_used(tmp_path: Path) -> None:
    """Its coarse output is taught to say, everywhere, that there is something."""
    trained = tmp_path / "trained.safetensors"
    detector = trainable_detector("yolov4-tiny", CPU)
    assert isinstance(detector.network, DarknetNetwork)
    with torch.no_grad():
        bias = detector.network.layers[29].convolution.bias  # the last layer before the output of stride 32
        assert isinstance(bias, torch.Tensor)
        bias[[4, 89, 174]] += 50  # objectness of the three anchors
        bias[[5, 90, 175]] += 50  # person
    write_trained(trained, "yolov4-tiny", detector.network, {})
    image = np.zeros((64, 64, 3), np.uint8)
    before, after = (
        YoloV4Tiny(embed=False, input_size=(64, 64), weights=weights).detect([image])[0] for weights in (None, trained)
    )
    assert len(before.box) == 0
    assert len(after.box) > 0
    assert after.score.min() > 0.99
