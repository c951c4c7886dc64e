"""Tracks as they are pushed, exported and scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

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
        step = np.diff(self.track)
        if ((step < 0) | ((step == 0) & (np.diff(self.frame) <= 0))).any():
            raise FormatError(
                f"labels of {self.info.name!r} are not sorted by track and frame, or a track has two boxes in a frame"
            )

    def __len__(self) -> int:
        return len(self.track)

    @classmethod
    def build(
        cls,
        info: ClipInfo,
        track: IntArray,
        frame: IntArray,
        box: FloatArray,
        *,
        class_id: IntArray | None = None,
        score: FloatArray | None = None,
        candidate_id: IntArray | None = None,
        occluded: BoolArray | None = None,
        uncertainty: FloatArray | None = None,
    ) -> Labels:
        """Sorts by track, then frame, and fills what is not given: class 0, score 1, no candidate, seen, certain."""
        count = len(track)
        order = np.lexsort((frame, track))

        def column(values: ArrayLike | None, dtype: DTypeLike, missing: float) -> NDArray[Any]:
            return (np.full(count, missing, dtype) if values is None else np.asarray(values, dtype))[order]

        return cls(
            info=info,
            track=column(track, np.int64, 0),
            frame=column(frame, np.int64, 0),
            box=np.asarray(box, dtype=np.float64).reshape(count, 4)[order],
            class_id=column(class_id, np.int64, 0),
            score=column(score, np.float64, 1),
            candidate_id=column(candidate_id, np.int64, -1),
            occluded=column(occluded, np.bool_, False),
            uncertainty=column(uncertainty, np.float64, 0),
        )

    def take(self, rows: IntArray | BoolArray, track: IntArray | None = None) -> Labels:
        """The labels at ``rows`` (indices or a mask), sorted anew; under other ``track`` numbers [M] where given."""
        return Labels.build(
            self.info,
            (self.track if track is None else track)[rows],
            self.frame[rows],
            self.box[rows],
            class_id=self.class_id[rows],
            score=self.score[rows],
            candidate_id=self.candidate_id[rows],
            occluded=self.occluded[rows],
            uncertainty=self.uncertainty[rows],
        )

    @property
    def track_ids(self) -> IntArray:
        """[T], ascending."""
        return np.unique(self.track)

    def rows(self, track: int) -> slice:
        """The rows of one track."""
        first, last = np.searchsorted(self.track, [track, track + 1])
        return slice(int(first), int(last))
