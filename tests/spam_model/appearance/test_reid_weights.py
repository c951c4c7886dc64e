from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from spam_model.appearance.reid_weights import load_reid, save_reid, with_config
from spam_model.appearance.resnet import ReidConfig, ReidNetwork
from spam_model.errors import FormatError, InputError
from spam_model.storage import pack
from tests.spam_model.appearance.test_resnet import lively

State = dict[str, Tensor]


def shapes(config: ReidConfig) -> State:
    """Weights of the right shapes that take no room on the disk."""
    with torch.device("meta"):
        network = ReidNetwork(config)
    return {name: torch.tensor(0.5).expand(tensor.shape) for name, tensor in network.state_dict().items()}


BARE = shapes(ReidConfig("resnet18", neck=False))
CLASSIFIER = {"classifier.weight": torch.zeros(751, 512), "classifier.bias": torch.zeros(751)}
NECK = {f"bottleneck.{name}": torch.ones(512) for name in ("weight", "bias", "running_mean", "running_var")}


def prefixed(prefix: str, state: State) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def test_our_own_file_comes_back_with_its_configuration(tmp_path: Path) -> None:
    network = lively(ReidConfig("resnet18", height=64, width=32, last_stride=2, reduction=128))
    save_reid(tmp_path / "reid.safetensors", network, {"recipe": "msmt17"})
    read = load_reid(tmp_path / "reid.safetensors", "resnet18")
    x = torch.randn(2, 3, 64, 32)
    assert read.config == network.config
    assert not read.training
    assert torch.equal(read.embed(x), network.embed(x))


@pytest.mark.parametrize(
    ("content", "config"),
    [
        (
            BARE | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)},
            ReidConfig("resnet18", neck=False),
        ),
        (
            {"state_dict": prefixed("module.", BARE | CLASSIFIER), "epoch": 60, "rank1": np.float32(0.9)},
            ReidConfig("resnet18", neck=False),
        ),
        (prefixed("base.", BARE) | NECK | CLASSIFIER, ReidConfig("resnet18")),
        (
            {
                "model": prefixed("backbone.", BARE)
                | {f"heads.bottleneck.0.{k.split('.')[1]}": v[:, None, None] for k, v in NECK.items()}
                | {"heads.weight": torch.zeros(751, 512), "pixel_mean": torch.zeros(1, 3, 1, 1)}
            },
            ReidConfig("resnet18"),
        ),
        (
            {"state_dict": shapes(ReidConfig("resnet18", neck=False, reduction=256)) | CLASSIFIER},
            ReidConfig("resnet18", neck=False, reduction=256),
        ),
        (shapes(ReidConfig("resnet50", neck=False)), ReidConfig("resnet50", neck=False)),
        (
            {name: tensor for name, tensor in BARE.items() if "num_batches" not in name},
            ReidConfig("resnet18", neck=False),
        ),
    ],
    ids=[
        "torchvision",
        "Torchreid, parallel",
        "strong baseline",
        "FastReID",
        "Torchreid fc",
        "ResNet-50",
        "no counters",
    ],
)
def test_checkpoints_of_others_load_whatever_they_are_wrapped_in(
    content: dict[str, object], config: ReidConfig, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "reid.pth")
    network = load_reid(tmp_path / "reid.pth")
    assert network.config == config
    assert all((p == 0.5).all() for name, p in network.named_parameters() if not name.startswith("neck"))


def test_safetensors_of_others_load(tmp_path: Path) -> None:
    network = lively(ReidConfig("resnet18", neck=False))
    save_file(prefixed("backbone.", network.state_dict()), tmp_path / "reid.safetensors")
    x = torch.randn(1, 3, 64, 32)
    assert torch.equal(load_reid(tmp_path / "reid.safetensors").embed(x), network.embed(x))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"stem.weight": torch.zeros(3)}, r"layer1\.0\.conv1\.weight is in it 0 times; it begins with stem\.weight"),
        (
            {name: tensor for name, tensor in BARE.items() if not name.startswith("layer4.1.bn")},
            r"lacks layer4\.1\.bn1\.weight, layer4\.1\.bn1\.bias, layer4\.1\.bn1\.running_mean and 5 more",
        ),
        (BARE | {"layer1.2.conv1.weight": torch.zeros(64, 64, 3, 3)}, r"has too much layer1\.2\.conv1\.weight"),
        (
            BARE | {"layer1.0.conv1.weight": torch.zeros(32, 64, 3, 3)},
            r"of other shapes layer1\.0\.conv1\.weight is \[32, 64, 3, 3\], not \[64, 64, 3, 3\]",
        ),
        (BARE | {"fc.0.weight": torch.zeros(128, 512)}, r"lacks fc\.0\.bias"),
        ({}, "holds no named weights"),
        (torch.zeros(3), "holds no named weights"),
    ],
    ids=[
        "another architecture",
        "missing keys",
        "ResNet-34",
        "other width",
        "half a reducing layer",
        "empty",
        "a tensor",
    ],
)
def test_a_wrong_checkpoint_is_named(state: State | Tensor, said: str, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "reid.pth")
    with pytest.raises(FormatError, match=said):
        load_reid(tmp_path / "reid.pth")


def test_the_variant_that_was_asked_for_must_be_the_one_that_is_there(tmp_path: Path) -> None:
    torch.save(BARE, tmp_path / "reid.pth")
    with pytest.raises(FormatError, match="holds a resnet18, not a resnet50"):
        load_reid(tmp_path / "reid.pth", "resnet50")


class Malicious:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        return os.mkdir, ("owned",)


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Malicious()}, "reid.pth")
    with pytest.raises(FormatError, match="does not read as weights only"):
        load_reid(Path("reid.pth"))
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("reid.pth", b"", "does not read as weights only"),
        ("reid.pth", b"text", "does not read as weights only"),
        ("reid.safetensors", b"text", "not a safetensors file"),
        ("reid.safetensors", pack("labels", {}, {}), "expected a reid-weights file"),
        ("reid.safetensors", pack("reid-weights", {}, {}), "says no configuration"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_said(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=said):
        load_reid(tmp_path / name)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such weights"):
        load_reid(tmp_path / "reid.pth")


def test_another_head_keeps_the_body() -> None:
    network = lively(ReidConfig("resnet18"))
    other = with_config(network, ReidConfig("resnet18", neck=False, reduction=64))
    assert torch.equal(other.get_parameter("layer4.1.conv2.weight"), network.get_parameter("layer4.1.conv2.weight"))
    assert other.config.dimension == 64
