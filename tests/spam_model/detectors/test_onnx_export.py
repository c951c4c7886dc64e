"""Networks exported to ONNX give what they give in torch, and are not handed out where they do not."""

from __future__ import annotations

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from spam_model.detectors.onnx_export import OnnxNetwork
from spam_model.detectors.yolox_network import YoloxConfig, YoloxNetwork
from spam_model.errors import SpamError


class WithMaps(nn.Module):
    """Two kinds of output, as a joint detector has them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = YoloxNetwork(YoloxConfig(0.33, 0.125, class_count=1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.network.features(pixels)
        return self.network.head(maps), maps[0]


class Moody(nn.Module):
    """Traced for one image, it is wrong for two."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if len(x) == 1 else x * 3


def test_it_gives_what_the_network_gives_for_any_batch_and_size() -> None:
    module = WithMaps().eval()
    exported = OnnxNetwork(module, torch.rand(1, 3, 64, 64) * 255)
    for batch, height, width in ((1, 64, 64), (3, 96, 160), (2, 32, 64)):
        pixels = torch.rand(batch, height, width, 3).permute(0, 3, 1, 2) * 255  # channels last
        with torch.no_grad():
            expected = module(pixels)
        given = exported(pixels)
        for got, want in zip(given, expected, strict=True):
            assert got.shape == want.shape
            assert (got - want).abs().max() < 1e-3


def test_an_export_that_differs_is_not_handed_out() -> None:
    with pytest.raises(SpamError, match=r"output 0 differs from torch's by more than 0\.003"):
        OnnxNetwork(Moody(), torch.ones(1, 3), free_axes=(0,))


def test_it_uses_as_many_threads_as_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    session = onnxruntime.InferenceSession

    def watched(model: bytes, options: onnxruntime.SessionOptions | None = None, **other: object) -> object:
        asked.append(None if options is None else options.intra_op_num_threads)
        return session(model, options, **other)

    monkeypatch.setattr(onnxruntime, "InferenceSession", watched)
    OnnxNetwork(nn.Sigmoid(), torch.ones(1, 3), free_axes=(0,))
    assert asked[-1] == torch.get_num_threads()
