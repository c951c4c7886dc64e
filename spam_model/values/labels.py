"""Tracks as they are pushed, exported and scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.errors import FormatError
from spam_model.values.candidates import BoolArray, ClipInfo, FloatArray, IntArray


@dataclass(frozen=True)
class Labels:
    """Structure of arrays over M boxes, sorted by track, then frame; at most one box per track and frame.

    Attributes:
        info: the clip.
        track: [M] int64, identity.
        frame: [M] int64, 0-based.
        box: [M, 4] float64, x1 y1 x2 y2 in px.
        class_id: [M] int64.
        score: [M] float64, the candidate's score, 0 for a filled gap.
        candidate_id: [M] int64, -1 for a filled gap.
        occluded: [M] bool, true for a filled gap.
        uncertainty: [M] float64 in [0, ln 2], entropy of the most uncertain decision behind the box.
    """

    info: ClipInfo
    track: IntArray
    frame: IntArray
    box: FloatArray
    class_id: IntArray
    score: FloatArray
    candidate_id: IntArray
    occluded: BoolArray
    uncertainty: FloatArray

    def __post_init__(self) -> None:
        key = self.track * (self.info.frame_count + 1) + self.frame
        if (np.diff(key) <= 0).any():
            raise FormatError(
                f"labels of {self.info.name!r} are not sorted by track and frame, or a track has two boxes in a frame"
            )

    def __len__(self) -> int:
        return len(self.track)

    @property
    def track_ids(self) -> IntArray:
        """[T], ascending."""
        return np.unique(self.track)

    def rows(self, track: int) -> slice:
        """The rows of one track."""
        first, last = np.searchsorted(self.track, [track, track + 1])
        return slice(int(first), int(last))
