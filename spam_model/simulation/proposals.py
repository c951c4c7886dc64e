"""What a simulated detector reports, before non-maximum suppression."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from spam_model import geometry
from spam_model.simulation.config import SimulationConfig
from spam_model.values.candidates import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Proposals:
    """Structure of arrays over N boxes.

    Attributes:
        frame: [N] int64.
        box: [N, 4] px.
        logit: [N], logit of the score.
        owner: [N] int64, the person whose valid box this may be, -1 for a false positive.
        primary: [N] bool, the person's own box rather than a second one on it.
        look: [N] int64, the object whose appearance is seen.
        mixed_with: [N] int64, the object that hides it in part, -1 for none.
        hidden: [N] in [0, 1], how much of it is hidden.
    """

    frame: IntArray
    box: FloatArray
    logit: FloatArray
    owner: IntArray
    primary: BoolArray
    look: IntArray
    mixed_with: IntArray
    hidden: FloatArray

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: IntArray | BoolArray) -> Proposals:
        return Proposals(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def join(cls, parts: list[Proposals]) -> Proposals:
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def reported(proposals: Proposals, config: SimulationConfig) -> Proposals:
    """What survives the score threshold and non-maximum suppression, sorted by frame, then score."""
    box = proposals.box
    if config.clip_boxes:
        box = geometry.clip_to_image(box, config.width, config.height)
    touches = geometry.clip_to_image(box, config.width, config.height)
    lowest = np.log(config.min_score / (1 - config.min_score))
    good = (geometry.area(touches) > 0) & (geometry.sizes(box).min(axis=1) >= 2) & (proposals.logit >= lowest)
    order = np.lexsort((-proposals.logit, proposals.frame))
    order = order[good[order]]
    proposals = Proposals(**{**vars(proposals.take(order)), "box": box[order]})
    keep = np.ones(len(proposals), bool)
    bounds = np.searchsorted(proposals.frame, np.arange(config.frame_count + 1))
    for first, last in pairwise(bounds):
        close = np.triu(geometry.iou_matrix(proposals.box[first:last], proposals.box[first:last]) > config.nms_iou, 1)
        for row in np.flatnonzero(close.any(axis=1)):
            if keep[first + row]:
                keep[first:last][close[row]] = False
    return proposals.take(keep)
