"""The official YOLOX-nano out of its ONNX export, as a checkpoint: an independent reference for our network."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from spam_model.detectors.yolox_layers import ConvBlock
from spam_model.detectors.yolox_network import SIZES, YoloxNetwork

_VARIANCE = 1000.0  # per energy of the filter, as raw pixels leave it in a batch norm


def published_nano(path: Path) -> YoloxNetwork:
    """The export folded each batch norm into its convolution; here they are taken apart again.

    Layers are matched in the order in which they are run, and must have equal shapes.
    """
    graph = onnx.load(str(path)).graph
    values = {tensor.name: torch.tensor(numpy_helper.to_array(tensor)) for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    network = YoloxNetwork(SIZES["nano"]).eval()
    blocks = {block.conv: block for block in network.modules() if isinstance(block, ConvBlock)}
    layers = _in_order(network)
    assert len(nodes) == len(layers)
    for node, layer in zip(nodes, layers, strict=True):
        weight, bias = (values[name] for name in node.input[1:3])
        assert layer.weight.shape == weight.shape
        layer.weight.data = weight
        if layer in blocks:
            _unfold(blocks[layer].bn, weight, bias)
        else:
            layer.bias.data = bias
    return network


def _unfold(norm: nn.Module, weight: Tensor, bias: Tensor) -> None:
    assert isinstance(norm, nn.BatchNorm2d)
    norm.running_var = _VARIANCE * weight.flatten(1).square().sum(dim=1)
    norm.weight.data = (norm.running_var + norm.eps).sqrt()
    norm.bias.data = bias


def _in_order(network: nn.Module) -> list[nn.Conv2d]:
    layers: list[nn.Conv2d] = []
    hooks = [
        layer.register_forward_hook(lambda layer, *_: layers.append(layer))
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    with torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return layers
