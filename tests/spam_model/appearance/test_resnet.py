from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spam_model.appearance.resnet import ReidConfig, ReidNetwork, Variant, normalised


def lively(config: ReidConfig) -> ReidNetwork:
    """A network whose batch normalisations do something."""
    torch.manual_seed(0)
    network = ReidNetwork(config).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1)
    return network


def reference(state: Mapping[str, Tensor], x: Tensor, strides: tuple[int, ...]) -> Tensor:
    """The pooled features, straight from the weights and the paper's drawing."""

    def layer(x: Tensor, conv: str, bn: str, stride: int = 1) -> Tensor:
        weight = state[f"{conv}.weight"]
        x = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        scale = state[f"{bn}.weight"] / (state[f"{bn}.running_var"] + 1e-5).sqrt()
        shift = state[f"{bn}.bias"] - state[f"{bn}.running_mean"] * scale
        return x * scale[:, None, None] + shift[:, None, None]

    x = functional.max_pool2d(layer(x, "conv1", "bn1", 2).relu(), 3, 2, 1)
    for stage, stage_stride in enumerate(strides, start=1):
        block = 0
        while (name := f"layer{stage}.{block}") + ".conv1.weight" in state:
            stride = stage_stride if block == 0 else 1
            last = 3 if f"{name}.conv3.weight" in state else 2
            inner = x
            for k in range(1, last + 1):
                strided = stride if k == (2 if last == 3 else 1) else 1  # torchvision's "V1.5"
                inner = layer(inner, f"{name}.conv{k}", f"{name}.bn{k}", strided)
                inner = inner.relu() if k < last else inner
            if f"{name}.downsample.0.weight" in state:
                x = layer(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
            x = (x + inner).relu()
            block += 1
    return x.mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("variant", "parameters", "dimension"), [("resnet18", 11_176_512, 512), ("resnet50", 23_508_032, 2048)]
)
def test_it_has_as_many_parameters_as_torchvisions_without_their_classifier(
    variant: Variant, parameters: int, dimension: int
) -> None:
    network = ReidNetwork(ReidConfig(variant, neck=False))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert network.config.dimension == dimension


@pytest.mark.parametrize("last_stride", [1, 2])
@pytest.mark.parametrize("variant", ["resnet18", "resnet50"])
def test_it_computes_what_the_paper_draws(variant: Variant, last_stride: int) -> None:
    network = lively(ReidConfig(variant, last_stride=last_stride, neck=False))
    x = torch.randn(2, 3, 64, 32)
    with torch.inference_mode():
        assert torch.allclose(network(x), reference(network.state_dict(), x, (1, 2, 2, last_stride)), atol=1e-4)


def test_the_neck_normalises_what_is_compared_but_not_what_the_triplet_loss_sees() -> None:
    network = lively(ReidConfig("resnet18"))
    x = torch.randn(2, 3, 64, 32)
    with torch.inference_mode():
        features, embedding = network(x), network.embed(x)
        neck = network.neck
        expected = (features - neck.running_mean) / (neck.running_var + neck.eps).sqrt() * neck.weight
    assert torch.allclose(embedding, functional.normalize(expected), atol=1e-5)
    assert not neck.bias.requires_grad


def test_a_reducing_layer_sets_the_dimension() -> None:
    network = lively(ReidConfig("resnet18", neck=False, reduction=128))
    assert network.config.dimension == 128
    assert network.embed(torch.randn(2, 3, 64, 32)).shape == (2, 128)


def test_crops_become_rgb_with_imagenets_statistics() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    rgb = crops[..., ::-1].astype(np.float64) / 255
    expected = (rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert normalised(torch.from_numpy(crops)).numpy() == pytest.approx(expected.transpose(0, 3, 1, 2), abs=1e-5)
