"""What a card is made of: the picture, and for a rectangle that people drag, the way back to the frame."""

from __future__ import annotations

from dataclasses import dataclass

from spam_model.data.clip import Image
from spam_model.values import Box, Labels


@dataclass(frozen=True)
class LinearMap:
    """frame px = ``offset`` + ``scale`` · card px, on both axes; px edges lie on whole numbers on both sides."""

    offset: tuple[float, float]
    scale: float

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"a map needs a scale above zero, got {self.scale}")

    def box(self, box: Box) -> Box:
        """A box on the card -> the box in the frame, x1 y1 x2 y2 in px."""
        (ax, ay), s = self.offset, self.scale
        return ax + s * box[0], ay + s * box[1], ax + s * box[2], ay + s * box[3]

    def inverse(self) -> LinearMap:
        """The map from the frame to the card."""
        return LinearMap((-self.offset[0] / self.scale, -self.offset[1] / self.scale), 1 / self.scale)


@dataclass(frozen=True)
class CardContext:
    """What the picture may show beside the question: the run's labels, as thin trajectories of other objects."""

    labels: Labels | None = None


@dataclass(frozen=True)
class Card:
    """One question as a picture.

    Attributes:
        image: [720, 1280, 3] uint8, BGR.
        rectangle: localization only: the proposed box in card px, for a CVAT rectangle; it is not drawn.
        to_frame: localization only: card px -> frame px.
    """

    image: Image
    rectangle: Box | None = None
    to_frame: LinearMap | None = None
