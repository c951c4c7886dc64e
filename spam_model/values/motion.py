"""What a motion model saw in the pixels: where a candidate's object is in other frames than the candidate's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.errors import FormatError
from spam_model.values.candidates import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class MotionEvidence:
    """Structure of arrays over P propagated boxes, sorted by candidate id, then frame; no pair of them twice.

    Attributes:
        id: [P] int64, the candidate that was followed.
        frame: [P] int64, 0-based frame it was followed to, before or after its own.
        box: [P, 4] float64, x1 y1 x2 y2 in px.
        visibility: [P] float64 in [0, 1], how sure the motion model is that the object is seen there.
    """

    id: IntArray
    frame: IntArray
    box: FloatArray
    visibility: FloatArray

    def __post_init__(self) -> None:
        count = len(self.id)
        if self.frame.shape != (count,) or self.box.shape != (count, 4) or self.visibility.shape != (count,):
            raise FormatError("motion evidence: its arrays differ in length")
        if not (np.isfinite(self.box).all() and np.isfinite(self.visibility).all()):
            raise FormatError("motion evidence: a box or visibility is not a number")
        same = np.diff(self.id) == 0
        if (np.diff(self.id) < 0).any() or (np.diff(self.frame)[same] <= 0).any():
            raise FormatError("motion evidence is not sorted by id and frame; MotionEvidence.build sorts it")

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def build(cls, id: IntArray, frame: IntArray, box: FloatArray, visibility: FloatArray) -> MotionEvidence:
        """Sorts by id and frame."""
        order = np.lexsort((frame, id))
        return cls(
            np.asarray(id, np.int64)[order],
            np.asarray(frame, np.int64)[order],
            np.asarray(box, np.float64).reshape(len(order), 4)[order],
            np.asarray(visibility, np.float64)[order],
        )

    def at(self, id: IntArray, frame: IntArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Where these candidates are at these frames, between two propagated boxes by linear interpolation.

        Args:
            id: [K]; frame: [K].

        Returns:
            Box [K, 4] px, visibility [K] (the lesser of the two), and whether there is any, [K]; 0 where not.
        """
        box, visibility = np.zeros((len(id), 4)), np.zeros(len(id))
        if len(self) == 0 or len(id) == 0:
            return box, visibility, np.zeros(len(id), bool)
        span = int(max(self.frame.max(), frame.max())) + 1
        after = np.searchsorted(self.id * span + self.frame, id * span + frame)  # the first at or after
        after = np.minimum(after, len(self) - 1)
        before = np.where(self.frame[after] == frame, after, np.maximum(after - 1, 0))
        known = (self.id[before] == id) & (self.id[after] == id)
        known &= (self.frame[before] <= frame) & (frame <= self.frame[after])
        low, high = before[known], after[known]
        length = np.maximum(self.frame[high] - self.frame[low], 1)
        share = ((frame[known] - self.frame[low]) / length)[:, None]
        box[known] = (1 - share) * self.box[low] + share * self.box[high]
        visibility[known] = np.minimum(self.visibility[low], self.visibility[high])
        return box, visibility, known
