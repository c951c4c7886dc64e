"""What a card is made of: the picture, and for a rectangle that people drag, the way back to the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.data.clip import Image
from spam_model.values import Anchor, Box, Labels


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

    def track_of(self, candidate_id: int) -> tuple[Anchor, ...]:
        """The track that holds this candidate, in time order, filled gaps left out; empty where none does."""
        labels = self.labels
        if labels is None:
            return ()
        rows = np.flatnonzero(np.isin(labels.track, labels.track[labels.candidate_id == candidate_id]))
        rows = rows[~labels.occluded[rows]]
        columns = (labels.candidate_id, labels.frame, labels.box, labels.class_id)
        return tuple(
            Anchor(candidate, frame, (x1, y1, x2, y2), class_id)
            for candidate, frame, (x1, y1, x2, y2), class_id in zip(*(c[rows].tolist() for c in columns), strict=True)
        )


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
