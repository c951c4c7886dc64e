"""YOLOX of any size, ours or others', as the training sees it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from spam_model.detector_training.predictions import DensePrediction
from spam_model.detector_training.trainable import Part
from spam_model.detectors.yolox_network import YoloxNetwork, cells, decode_boxes


class TrainableYolox:
    """``normalise`` turns raw BGR 0 … 255 [B, 3, H, W] into what the weights were trained for."""

    def __init__(
        self,
        name: str,
        network: YoloxNetwork,
        class_names: tuple[str, ...],
        normalise: Callable[[Tensor], Tensor] = lambda pixels: pixels,
    ) -> None:
        self.name = name
        self.network = network
        self.class_names = class_names
        self._normalise = normalise

    def predict(self, network: nn.Module, images: Tensor, columns: Tensor) -> DensePrediction:
        pixels = self._normalise(images.permute(0, 3, 1, 2).float())
        assert isinstance(network, YoloxNetwork)
        maps = network.features(pixels)
        output = network.head.logits(maps).float()  # [B, A, 5 + C]
        cell, stride = cells(images.shape[1], images.shape[2], images.device)
        return DensePrediction(
            box=decode_boxes(output, cell, stride),
            objectness=output[..., 4],
            classes=output[..., 5:][..., columns],
            centre=(cell + 0.5) * stride,
            stride=stride[:, 0],
            maps=maps,
        )

    def parameters(self, part: Part) -> list[nn.Parameter]:
        if part is Part.ALL:
            return list(self.network.parameters())
        early = {id(parameter) for parameter in self.network.backbone.backbone.parameters()}
        trained = self.network if part is Part.DEEP else self.network.head
        return [parameter for parameter in trained.parameters() if id(parameter) not in early]
