"""Darknet's files read into torch, against OpenCV's reading of the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.data.clip import Clip
from spam_model.detectors.darknet_weights import WeightsReader, read_cfg
from spam_model.detectors.fetch import cache_folder
from spam_model.detectors.letterbox import stretch
from spam_model.detectors.yolov4_tiny_network import DarknetNetwork
from spam_model.errors import FormatError, InputError
from tests.spam_model.detectors.darknet_files import (
    ALL_KINDS,
    opencv_reading,
    write_all_kinds,
    write_one_layer,
)
from tests.spam_model.detectors.shared import CAMPUS

WEIGHTS = cache_folder() / "yolov4-tiny"


def assert_as_opencv(folder: Path, blob: np.ndarray) -> None:
    height, width = blob.shape[2:]
    with torch.inference_mode():
        (ours,), _ = DarknetNetwork(folder).eval()(torch.from_numpy(blob))
    theirs = opencv_reading(folder, blob)
    assert ours.shape == theirs.shape
    box = ours[:, :4].numpy() / [width, height, width, height]
    assert box == pytest.approx(theirs[:, :4], abs=1e-4, rel=1e-3)
    score = (ours[:, 5:] * ours[:, 4:5]).numpy()
    seen = theirs[:, 5:] > 0  # it leaves out what is below its threshold
    assert seen.any()
    assert score[seen] == pytest.approx(theirs[:, 5:][seen], abs=1e-4)


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (32, 32)])
def test_every_kind_of_layer_computes_what_opencv_computes(tmp_path: Path, size: tuple[int, int]) -> None:
    blob = np.random.default_rng(1).random((1, 3, *size)).astype(np.float32)
    assert_as_opencv(write_all_kinds(tmp_path), blob)


@pytest.mark.shared_data
@pytest.mark.skipif(not CAMPUS.is_dir(), reason="no development data (CVAT_SPAM_DATA)")
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no weights in the cache (spam-model fetch-weights)")
def test_yolov4_tiny_sees_in_real_video_what_opencv_sees() -> None:
    pixels = stretch([Clip.open(CAMPUS).frame(10)], (416, 416)).pixels.flip(1)
    assert_as_opencv(WEIGHTS, pixels.to(torch.float32).div(255).contiguous().numpy())


def test_images_of_a_batch_do_not_touch_each_other(tmp_path: Path) -> None:
    network = DarknetNetwork(write_all_kinds(tmp_path)).eval()
    images = torch.rand(3, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together, _ = network(images)
        apart = torch.cat([network(images[i : i + 1])[0] for i in range(3)])
    assert torch.allclose(together, apart, atol=1e-5)


def test_layers_say_their_channels_and_strides_and_can_be_kept(tmp_path: Path) -> None:
    network = DarknetNetwork(write_all_kinds(tmp_path)).eval()
    assert network.strides == [2, 2, 2, 2, 4, 4, 4, 4, 2, 2, 2, 2]
    images = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        _, kept = network(images, (0, 4, 9))
        alone = network.feature_maps(images, (0, 4, 9))
    for layer, feature, again in zip((0, 4, 9), kept, alone, strict=True):
        stride = network.strides[layer]
        assert feature.shape == (2, network.channels[layer], 64 // stride, 96 // stride)
        assert torch.equal(feature, again)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ALL_KINDS.replace(b"filters=6", b"filters=7"), "the two do not belong together"),
        (ALL_KINDS.replace(b"filters=255", b"filters=254"), r"layer 6: \[yolo\] with 254 inputs"),
        (ALL_KINDS.replace(b"layers = -1, 3", b"layers = -1, 5"), r"layer 9: \[route\] of layers .* differ in size"),
        (ALL_KINDS.replace(b"layers = -3", b"layers = 40"), r"layer 7: \[route\] of layers \[40\] that do not exist"),
        (ALL_KINDS.replace(b"[upsample]", b"[shortcut]"), r"layer 8: \[shortcut\] is no layer of YOLOv4-tiny"),
        (ALL_KINDS.replace(b"activation=leaky", b"activation=mish"), "activation mish"),
        (ALL_KINDS.replace(b"filters=6", b"filters=six"), "needs a whole number as filters, got 'six'"),
        (ALL_KINDS.replace(b"anchors = ", b"anchors = ten,"), "needs numbers as anchors"),
        (ALL_KINDS[: ALL_KINDS.index(b"[yolo]")], r"needs \[yolo\] layers"),
        (b"[nonsense]\nthis=that\n", r"begins with \[net\]"),
        (b"this=that\n", "line 1: neither"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, broken: bytes, message: str) -> None:
    write_all_kinds(tmp_path)
    (tmp_path / "yolov4-tiny.cfg").write_bytes(broken)
    with pytest.raises(FormatError, match=message):
        DarknetNetwork(tmp_path)


def test_weights_that_are_too_many_too_few_or_not_there_are_named(tmp_path: Path) -> None:
    weights = write_one_layer(tmp_path) / "yolov4-tiny.weights"
    whole = weights.read_bytes()
    for data, message in (
        (whole + b"\0\0\0\0", "has 1 numbers more than its configuration takes"),
        (whole[:-4], "cut short"),
        (whole[:-2], "not whole float32 numbers"),
        (whole[:8], "8 bytes are no weights"),
    ):
        weights.write_bytes(data)
        with pytest.raises(FormatError, match=message):
            DarknetNetwork(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match="fetch-weights"):
        DarknetNetwork(tmp_path)
    with pytest.raises(InputError, match="fetch-weights"):
        read_cfg(tmp_path / "missing.cfg")


def test_files_of_before_version_2_have_a_shorter_header(tmp_path: Path) -> None:
    file = tmp_path / "old.weights"
    values = np.arange(6, dtype=np.float32)
    file.write_bytes(np.array([0, 1, 0, 7], np.int32).tobytes() + values.tobytes())
    reader = WeightsReader(file)
    read = reader.convolution(2, 2, 1, normalised=False)
    assert read.bias.tolist() == [0, 1]
    assert read.weight.ravel().tolist() == [2, 3, 4, 5]
    reader.finish()
