"""YOLOv4-tiny as the training sees it: three anchors of given sizes in every cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spam_model.detector_training.predictions import DensePrediction
from spam_model.detector_training.trainable import Part
from spam_model.detectors.coco import COCO_CLASSES
from spam_model.detectors.yolov4_tiny import HEAD_LAYERS
from spam_model.detectors.yolov4_tiny_network import DarknetNetwork, YoloLayer

EARLY_LAYERS = 17  # up to the map of stride 8; the motion model reads no later one
OUTPUT_LAYERS = (28, 29, 36)  # what follows the last map that the embedding head reads


class TrainableYoloV4Tiny:
    """Batch norms are folded into the convolutions, so they are frozen; ``Part`` says which are trained."""

    name = "yolov4-tiny"
    class_names = COCO_CLASSES

    def __init__(self, network: DarknetNetwork) -> None:
        self.network = network

    def predict(self, network: nn.Module, images: Tensor, columns: Tensor) -> DensePrediction:
        assert isinstance(network, DarknetNetwork)
        layers = [(index, layer) for index, layer in enumerate(network.layers) if isinstance(layer, YoloLayer)]
        pixels = images.permute(0, 3, 1, 2).flip(1).float() / 255
        _, maps = network(pixels, keep=[*(index - 1 for index, _ in layers), *HEAD_LAYERS])
        outputs, read = maps[: len(layers)], maps[len(layers) :]
        parts = [_read(layer, features.float(), columns) for (_, layer), features in zip(layers, outputs, strict=True)]
        return DensePrediction(
            box=torch.cat([part.box for part in parts], dim=1),
            objectness=torch.cat([part.objectness for part in parts], dim=1),
            classes=torch.cat([part.classes for part in parts], dim=1),
            centre=torch.cat([part.centre for part in parts]),
            stride=torch.cat([part.stride for part in parts]),
            maps=read,
            anchor=torch.cat([part.anchor for part in parts if part.anchor is not None]),
        )

    def parameters(self, part: Part) -> list[nn.Parameter]:
        layers = {
            Part.ALL: range(len(self.network.layers)),
            Part.DEEP: range(EARLY_LAYERS, len(self.network.layers)),
            Part.HEAD: OUTPUT_LAYERS,
        }[part]
        return [parameter for layer in layers for parameter in self.network.layers[layer].parameters()]


def _read(layer: YoloLayer, features: Tensor, columns: Tensor) -> DensePrediction:
    """One output map [B, A · (5 + C), H, W], with logits where ``YoloLayer`` gives probabilities."""
    batch, _, height, width = features.shape
    count = len(layer.anchors)
    output = features.reshape(batch, count, 5 + layer.classes, height, width).permute(0, 3, 4, 1, 2)
    output = output.reshape(batch, height * width * count, 5 + layer.classes)
    decoded = layer(features)
    half = decoded[..., 2:4] / 2
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = (torch.stack([column, row], dim=-1).reshape(-1, 1, 2) + 0.5) * layer.stride
    centre = centre.expand(-1, count, -1).reshape(-1, 2).to(features.device)
    return DensePrediction(
        box=torch.cat([decoded[..., :2] - half, decoded[..., :2] + half], dim=-1),
        objectness=output[..., 4],
        classes=output[..., 5:][..., columns],
        centre=centre,
        stride=torch.full((len(centre),), float(layer.stride), device=features.device),
        anchor=layer.anchors.repeat(height * width, 1),
    )
