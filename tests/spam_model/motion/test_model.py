"""The motion model's weights on disk, and feature maps that it was not trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.errors import FormatError, InputError
from spam_model.motion.model import SHIPPED_WEIGHTS, Backbone, MotionModel, normalise
from spam_model.storage import pack
from tests.spam_model.motion.worlds import ColourEyes

BACKBONE = Backbone("colours", (2, 4), (3, 3))


def test_weights_come_back_at_half_precision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MotionModel(BACKBONE, channels=8)
    model.save(tmp_path / "motion.safetensors", {"steps": 3})
    again = MotionModel.load(tmp_path / "motion.safetensors")
    assert again.backbone == BACKBONE
    assert not again.training
    for name, tensor in model.state_dict().items():
        assert torch.allclose(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "motion.safetensors"
    with pytest.raises(InputError, match="cannot read"):
        MotionModel.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(FormatError, match="train-motion"):
        MotionModel.load(path)
    path.write_bytes(pack("motion weights", {}, {}))
    with pytest.raises(FormatError, match="configuration"):
        MotionModel.load(path)
    MotionModel(BACKBONE, channels=8).save(path)
    data = path.read_bytes().replace(b'\\"channels\\": 8', b'\\"channels\\": 4')
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"explicit\.heads"):
        MotionModel.load(path)


def test_maps_of_another_detector_are_refused_and_the_trained_one_named() -> None:
    maps = ColourEyes().features([np.zeros((40, 40, 3), np.uint8)])
    model = MotionModel(BACKBONE, channels=8)
    assert [each.shape[1] for each in model.project(maps).maps] == [8, 8]
    with pytest.raises(FormatError, match=r"trained on colours .*train-motion"):
        model.project(replace(maps, strides=(4, 8)))


def test_cells_have_length_one_and_nothing_stays_nothing() -> None:
    features = torch.rand(2, 5, 3, 3)
    features[:, :, 1, 1] = 0
    length = normalise(features).norm(dim=1)
    assert length[:, 1, 1].tolist() == [0, 0]
    assert length[:, 0].numpy() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.skipif(not SHIPPED_WEIGHTS.is_file(), reason="no shipped motion weights")
def test_the_shipped_weights_are_small_and_of_the_default_eyes() -> None:
    assert SHIPPED_WEIGHTS.stat().st_size < 3e6
    assert MotionModel.load().backbone == Backbone("yolov4-tiny", (4, 8), (128, 256))
