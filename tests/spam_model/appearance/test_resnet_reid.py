from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.appearance.crops import cut_crops
from spam_model.appearance.reid_weights import save_reid
from spam_model.appearance.resnet import ReidConfig, normalised
from spam_model.appearance.resnet_reid import ResNetReid
from spam_model.errors import DeviceError
from tests.spam_model.appearance.test_resnet import lively

NETWORK = lively(ReidConfig("resnet18", height=64, width=32))
IMAGE = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)
BOXES = np.array([[10.0, 5, 50, 100], [-20, 30, 40, 140], [100, 10, 130, 70], [150, 0, 199, 119], [0, 0, 5, 5]])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reid") / "reid.safetensors"
    save_reid(path, NETWORK, {})
    return path


def test_it_embeds_the_crops_of_the_boxes(weights: Path) -> None:
    model = ResNetReid(weights, "resnet18", "cpu")
    vectors = model.embed(IMAGE, BOXES)
    expected = NETWORK.embed(normalised(torch.from_numpy(cut_crops(IMAGE, BOXES, (64, 32))))).detach().numpy()
    assert (model.name, model.device, model.dimension) == ("resnet:reid.safetensors", "cpu", 512)
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(expected, abs=1e-6)
    assert model.embed(IMAGE, BOXES[:0]).shape == (0, 512)


def test_the_batch_does_not_matter(weights: Path) -> None:
    whole = ResNetReid(weights, device="cpu").embed(IMAGE, BOXES)
    assert ResNetReid(weights, device="cpu", batch=2).embed(IMAGE, BOXES) == pytest.approx(whole, abs=1e-5)


def test_out_of_memory_halves_the_batch_and_says_so(
    weights: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = ResNetReid(weights, device="cpu")
    whole, embed = model.embed(IMAGE, BOXES), model._network.embed

    def with_little_memory(crops: torch.Tensor) -> torch.Tensor:
        if len(crops) > 2:
            raise torch.OutOfMemoryError
        return embed(crops)

    monkeypatch.setattr(model._network, "embed", with_little_memory)
    with caplog.at_level(logging.WARNING):
        assert model.embed(IMAGE, BOXES) == pytest.approx(whole, abs=1e-5)
    assert "going on with 2" in caplog.text


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said(weights: Path) -> None:
    with pytest.raises(DeviceError, match="no CUDA GPU"):
        ResNetReid(weights, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_embeddings(weights: Path) -> None:
    on_gpu = ResNetReid(weights, device="cuda").embed(IMAGE, BOXES)
    assert on_gpu == pytest.approx(ResNetReid(weights, device="cpu").embed(IMAGE, BOXES), abs=5e-3)
