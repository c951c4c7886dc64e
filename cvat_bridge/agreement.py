"""How often two sets of tracks show the same place at the same time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.geometry import iou_matrix
from spam_model.values.candidates import FloatArray, IntArray

SAME_OBJECT_IOU = 0.5


@dataclass(frozen=True)
class Boxes:
    """N boxes of ``count`` owners: ``owner`` [N] in 0 … count - 1, ``frame`` [N], ``box`` [N, 4] px."""

    owner: IntArray
    frame: IntArray
    box: FloatArray
    count: int

    @classmethod
    def of(cls, tracks: list[tuple[IntArray, FloatArray]]) -> Boxes:
        """One owner for each pair of frames and boxes."""
        lengths = [len(frame) for frame, _ in tracks]
        return cls(
            owner=np.repeat(np.arange(len(tracks)), lengths),
            frame=np.concatenate([np.zeros(0, np.int64), *(frame for frame, _ in tracks)]),
            box=np.concatenate([np.zeros((0, 4)), *(box for _, box in tracks)]),
            count=len(tracks),
        )


def agreeing_frames(first: Boxes, second: Boxes) -> IntArray:
    """[first.count, second.count] frames on which two owners' boxes have an IoU of at least 0.5."""
    result = np.zeros((first.count, second.count), np.int64)
    rows_of_second = _rows_by_frame(second.frame)
    for frame, mine in _rows_by_frame(first.frame).items():
        theirs = rows_of_second.get(frame)
        if theirs is None:
            continue
        one, other = np.nonzero(iou_matrix(first.box[mine], second.box[theirs]) >= SAME_OBJECT_IOU)
        np.add.at(result, (first.owner[mine[one]], second.owner[theirs[other]]), 1)
    return result


def _rows_by_frame(frame: IntArray) -> dict[int, IntArray]:
    order = np.argsort(frame, kind="stable")
    values, starts = np.unique(frame[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=False))
