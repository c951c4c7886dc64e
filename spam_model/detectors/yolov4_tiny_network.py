"""The network of a Darknet configuration in plain torch, for YOLOv4-tiny (arXiv 2011.08036, section 4, "CSPOSANet").

Only the layers that such networks have: convolution (linear or leaky), route, max pooling, upsampling and yolo.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spam_model.detectors.darknet_weights import Section, WeightsReader, read_cfg
from spam_model.errors import FormatError

_SLOPE = 0.1  # of Darknet's leaky activation


class _Convolution(nn.Module):
    def __init__(self, section: Section, inputs: int, reader: WeightsReader) -> None:
        super().__init__()
        outputs, size = section.integer("filters"), section.integer("size")
        padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
        activation = section.options.get("activation", "logistic")
        if activation not in ("leaky", "linear") or section.integer("groups", 1) != 1:
            raise FormatError(f"[convolutional] with activation {activation} or groups is none that is read here")
        self.convolution = nn.Conv2d(inputs, outputs, size, section.integer("stride", 1), padding)
        self.leaky = activation == "leaky"
        values = reader.convolution(inputs, outputs, size, normalised=bool(section.integer("batch_normalize", 0)))
        with torch.no_grad():
            self.convolution.weight.copy_(torch.from_numpy(values.weight))
            self.convolution.bias.copy_(torch.from_numpy(values.bias))  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolution(x)
        return F.leaky_relu_(x, _SLOPE) if self.leaky else x


class _Route(nn.Module):
    """Concatenates layers, or of one layer takes a group of channels."""

    def __init__(self, layers: tuple[int, ...], groups: int, group: int) -> None:
        super().__init__()
        self.layers, self.groups, self.group = layers, groups, group

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        parts = [outputs[layer] for layer in self.layers]
        if self.groups > 1:
            parts = [part.chunk(self.groups, dim=1)[self.group] for part in parts]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class _MaxPool(nn.Module):
    def __init__(self, size: int, stride: int) -> None:
        super().__init__()
        self.size, self.stride = size, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.size, self.stride)


class _Upsample(nn.Module):
    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=float(self.factor), mode="nearest")


class YoloLayer(nn.Module):
    """Decodes one output map: per cell and anchor x, y, width, height, objectness and class probabilities.

    x = (σ(t)·s − (s − 1)/2 + column) · stride with s = ``scale_x_y``, width = e^t · anchor; σ for the rest.
    """

    anchors: Tensor

    def __init__(self, section: Section, stride: int) -> None:
        super().__init__()
        numbers = section.numbers("anchors")
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        mask = [int(index) for index in section.numbers("mask")]
        self.register_buffer("anchors", torch.tensor([pairs[index] for index in mask]), persistent=False)  # [A, 2] px
        self.classes = section.integer("classes")
        self.stride = stride
        self.stretch = section.numbers("scale_x_y")[0] if "scale_x_y" in section.options else 1.0

    def forward(self, x: Tensor) -> Tensor:
        """[B, A·(5 + C), H, W] -> [B, H·W·A, 5 + C]; centre and size in px of the network's input."""
        batch, _, height, width = x.shape
        count = len(self.anchors)
        x = x.reshape(batch, count, 5 + self.classes, height, width).permute(0, 3, 4, 1, 2)  # [B, H, W, A, 5 + C]
        row = torch.arange(height, device=x.device, dtype=x.dtype).view(1, -1, 1, 1)
        column = torch.arange(width, device=x.device, dtype=x.dtype).view(1, 1, -1, 1)
        shift = (self.stretch - 1) / 2
        probability = x.sigmoid()
        centre_x = (probability[..., 0] * self.stretch - shift + column) * self.stride
        centre_y = (probability[..., 1] * self.stretch - shift + row) * self.stride
        size = x[..., 2:4].exp() * self.anchors
        decoded = torch.cat([torch.stack([centre_x, centre_y], dim=-1), size, probability[..., 4:]], dim=-1)
        return decoded.reshape(batch, height * width * count, 5 + self.classes)


class DarknetNetwork(nn.Module):
    """Layers numbered as Darknet numbers them; ``channels`` and ``strides`` are of each layer's output.

    ``class_count`` is the number of classes of its yolo layers.
    """

    def __init__(self, folder: Path, name: str = "yolov4-tiny") -> None:
        """Reads ``<name>.cfg`` and ``<name>.weights`` in ``folder``.

        Raises:
            InputError: a file is missing.
            FormatError: one cannot be read, or the two do not belong together.
        """
        super().__init__()
        sections = read_cfg(folder / f"{name}.cfg")
        reader = WeightsReader(folder / f"{name}.weights")
        self.channels: list[int] = []
        self.strides: list[int] = []
        self.layers = nn.ModuleList()
        channels, stride = sections[0].integer("channels", 3), 1
        for index, section in enumerate(sections[1:]):
            layer: nn.Module
            if section.kind == "convolutional":
                layer = _Convolution(section, channels, reader)
                channels, stride = section.integer("filters"), stride * section.integer("stride", 1)
            elif section.kind == "route":
                layer, channels, stride = self._route(section, index)
            elif section.kind == "maxpool":
                layer = _MaxPool(section.integer("size"), section.integer("stride"))
                stride *= layer.stride
            elif section.kind == "upsample":
                layer = _Upsample(section.integer("stride"))
                stride //= layer.factor
            elif section.kind == "yolo":
                layer = YoloLayer(section, stride)
                if channels != len(layer.anchors) * (5 + layer.classes):
                    raise FormatError(f"layer {index}: [yolo] with {channels} inputs does not fit its mask and classes")
            else:
                raise FormatError(f"layer {index}: [{section.kind}] is no layer of YOLOv4-tiny")
            self.layers.append(layer)
            self.channels.append(channels)
            self.strides.append(stride)
        counts = {layer.classes for layer in self.layers if isinstance(layer, YoloLayer)}
        if len(counts) != 1:
            raise FormatError(f"{folder}: needs [yolo] layers, all with the same number of classes; got {counts}")
        reader.finish()
        (self.class_count,) = counts
        self.largest_stride = max(self.strides)

    def _route(self, section: Section, index: int) -> tuple[_Route, int, int]:
        given = [int(layer) for layer in section.numbers("layers")]
        layers = tuple(layer if layer >= 0 else index + layer for layer in given)
        if not all(0 <= layer < index for layer in layers) or len({self.strides[layer] for layer in layers}) != 1:
            raise FormatError(f"layer {index}: [route] of layers {given} that do not exist or differ in size")
        groups = section.integer("groups", 1)
        route = _Route(layers, groups, section.integer("group_id", 0))
        return route, sum(self.channels[layer] // groups for layer in layers), self.strides[layers[0]]

    def forward(self, x: Tensor, keep: Sequence[int] = ()) -> tuple[Tensor, tuple[Tensor, ...]]:
        """RGB in 0 … 1, [B, 3, H, W] with sides that are multiples of 32.

        Returns:
            [B, N, 5 + C], see ``YoloLayer``; and the maps of the layers ``keep``.
        """
        maps, decoded = self._run(x, len(self.layers))
        return torch.cat(decoded, dim=1), tuple(maps[layer] for layer in keep)

    def feature_maps(self, x: Tensor, layers: Sequence[int]) -> tuple[Tensor, ...]:
        """Only the maps of these layers; stops at the last of them."""
        maps, _ = self._run(x, max(layers) + 1)
        return tuple(maps[layer] for layer in layers)

    def _run(self, x: Tensor, stop: int) -> tuple[list[Tensor], list[Tensor]]:
        maps: list[Tensor] = []
        decoded: list[Tensor] = []
        for layer in self.layers[:stop]:
            if isinstance(layer, YoloLayer):
                decoded.append(layer(x))
            else:
                x = layer(maps if isinstance(layer, _Route) else x)
            maps.append(x)
        return maps, decoded
