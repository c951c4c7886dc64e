"""YOLOX in torch against the published numbers and the official export."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from spam_model.data.clip import Clip
from spam_model.detectors.letterbox import letterbox
from spam_model.detectors.yolox_layers import fold_batch_norms
from spam_model.detectors.yolox_network import SIZES, STRIDES, YoloxConfig, YoloxNetwork, cells, decode_boxes
from tests.spam_model.detectors.published_yolox import published_nano
from tests.spam_model.detectors.shared import CAMPUS, YOLOX


def small(class_count: int = 2, **options: bool) -> YoloxNetwork:
    torch.manual_seed(0)
    return YoloxNetwork(YoloxConfig(0.33, 0.125, class_count=class_count, **options)).eval()


@pytest.mark.parametrize(
    ("size", "millions"), [("nano", 0.91), ("tiny", 5.06), ("s", 8.97), ("m", 25.3), ("l", 54.2), ("x", 99.1)]
)
def test_every_size_has_the_published_number_of_parameters(size: str, millions: float) -> None:
    with torch.device("meta"):
        network = YoloxNetwork(SIZES[size])
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert count == pytest.approx(millions, abs=0.051 if millions > 20 else 0.0051)


# names and shapes as they stand in the official and in ByteTrack's checkpoints
PUBLISHED = {
    "s": {
        "backbone.backbone.stem.conv.conv.weight": (32, 12, 3, 3),
        "backbone.backbone.dark2.0.conv.weight": (64, 32, 3, 3),
        "backbone.backbone.dark3.1.m.2.conv2.bn.running_var": (64,),
        "backbone.backbone.dark5.1.conv2.conv.weight": (512, 1024, 1, 1),
        "backbone.backbone.dark5.2.conv3.bn.num_batches_tracked": (),
        "backbone.lateral_conv0.conv.weight": (256, 512, 1, 1),
        "backbone.C3_p4.conv1.conv.weight": (128, 512, 1, 1),
        "backbone.reduce_conv1.bn.bias": (128,),
        "backbone.C3_p3.m.0.conv2.conv.weight": (64, 64, 3, 3),
        "backbone.bu_conv2.conv.weight": (128, 128, 3, 3),
        "backbone.C3_n3.conv3.conv.weight": (256, 256, 1, 1),
        "backbone.bu_conv1.conv.weight": (256, 256, 3, 3),
        "backbone.C3_n4.conv2.conv.weight": (256, 512, 1, 1),
        "head.stems.2.conv.weight": (128, 512, 1, 1),
        "head.cls_convs.0.0.conv.weight": (128, 128, 3, 3),
        "head.reg_convs.1.1.bn.weight": (128,),
        "head.cls_preds.0.bias": (80,),
        "head.reg_preds.2.weight": (4, 128, 1, 1),
        "head.obj_preds.1.weight": (1, 128, 1, 1),
    },
    "nano": {
        "backbone.backbone.dark2.0.dconv.conv.weight": (16, 1, 3, 3),
        "backbone.backbone.dark4.1.m.1.conv2.pconv.bn.weight": (64,),
        "backbone.bu_conv1.pconv.conv.weight": (128, 128, 1, 1),
        "head.reg_convs.0.1.dconv.conv.weight": (64, 1, 3, 3),
    },
}


@pytest.mark.parametrize("size", sorted(PUBLISHED))
def test_parameters_bear_the_names_of_the_checkpoints(size: str) -> None:
    with torch.device("meta"):
        state = YoloxNetwork(SIZES[size]).state_dict()
    assert {name: tuple(state[name].shape) for name in PUBLISHED[size]} == PUBLISHED[size]


@pytest.mark.parametrize("depthwise", [False, True])
def test_output_and_maps_have_a_row_for_every_cell(depthwise: bool) -> None:
    network = small(depthwise=depthwise)
    pixels = torch.rand(2, 3, 64, 96) * 255
    maps = network.features(pixels)
    assert [tuple(part.shape) for part in maps] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(network.config.channels, STRIDES, strict=True)
    ]
    output = network(pixels)
    assert output.shape == (2, 8 * 12 + 4 * 6 + 2 * 3, 5 + 2)
    assert output.equal(network.head(maps))
    logits = network.head.logits(maps)
    assert output[..., :4].equal(logits[..., :4])
    assert output[..., 4:].equal(logits[..., 4:].sigmoid())


def test_an_untrained_head_is_sure_of_nothing() -> None:
    score = small()(torch.zeros(1, 3, 64, 64))[..., 4:]
    assert score.mean().item() == pytest.approx(0.01, abs=0.005)


def test_cells_decode_to_pixels() -> None:
    cell, stride = cells(64, 96)
    output = torch.zeros(len(cell), 7)
    output[12 * 3 + 5] = torch.tensor([0.5, 0.25, np.log(4), np.log(2), 0, 0, 0])
    output[8 * 12 + 4 * 6 + 4] = torch.tensor([-0.5, 1, 0, 0, 0, 0, 0])
    box = decode_boxes(output, cell, stride)
    assert box[12 * 3 + 5].tolist() == pytest.approx([28, 18, 60, 34])  # column 5, row 3 of stride 8
    assert box[8 * 12 + 4 * 6 + 4].tolist() == pytest.approx([0, 48, 32, 80])  # column 1, row 1 of stride 32


@pytest.mark.parametrize("depthwise", [False, True])
def test_folding_the_batch_norms_changes_no_output(depthwise: bool) -> None:
    network = small(depthwise=depthwise).train()
    for _ in range(3):
        network(torch.randn(4, 3, 64, 64) * 3 + 1)  # so that the norms have something to say
    network.eval()
    pixels = torch.randn(2, 3, 64, 64) * 3 + 1
    with torch.no_grad():
        before = network(pixels)
        fold_batch_norms(network)
        assert network(pixels).numpy() == pytest.approx(before.numpy(), abs=1e-5)
    assert not any("bn" in name for name in network.state_dict())


def test_every_parameter_has_a_say_in_the_output() -> None:
    network = small().train()
    network(torch.rand(2, 3, 64, 64)).square().sum().backward()
    silent = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert silent == []


@pytest.mark.shared_data
@pytest.mark.skipif(not (CAMPUS.is_dir() and YOLOX.is_file()), reason="no development data (CVAT_SPAM_DATA)")
def test_it_says_what_the_official_export_says() -> None:
    network = published_nano(YOLOX)
    session = onnxruntime.InferenceSession(str(YOLOX), providers=["CPUExecutionProvider"])
    clip = Clip.open(CAMPUS)
    for index in (0, 40):
        pixels = letterbox([clip.frame(index)], (416, 416)).pixels.float()
        with torch.no_grad():
            given = network(pixels).numpy()
        (expected,) = session.run(None, {"images": pixels.contiguous().numpy()})
        assert expected[..., 4].max() > 0.8  # there are people
        assert np.abs(given - expected).max() < 1e-3
