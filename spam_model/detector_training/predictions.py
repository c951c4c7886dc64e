"""What a one-stage detector says, before anything is left out: a box, an objectness and classes at every anchor."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class DensePrediction:
    """Of B images at A anchors; an anchor-free detector has one anchor a cell.

    Attributes:
        box: [B, A, 4] x1 y1 x2 y2, px of the network's input.
        objectness: [B, A] logits.
        classes: [B, A, C] logits, of the classes that are trained.
        centre: [A, 2] x, y of the middle of the anchor's cell, px of the network's input.
        stride: [A] side of the cell, px.
        maps: feature maps [B, C, H, W] that an embedding head or a motion model reads.
        anchor: [A, 2] width and height that the anchor begins from, px; None where the detector is anchor-free.
    """

    box: Tensor
    objectness: Tensor
    classes: Tensor
    centre: Tensor
    stride: Tensor
    maps: tuple[Tensor, ...] = ()
    anchor: Tensor | None = None
