"""Filling gaps of tracks with boxes on a straight line between the boxes on both sides."""

from __future__ import annotations

import numpy as np

from spam_model.values import Labels
from spam_model.values.candidates import FloatArray


def fill_gaps(labels: Labels, path: FloatArray, longest: FloatArray) -> Labels:
    """Labels with a box in every frame of the gaps that are short enough.

    The line is straight once ``path`` [F, 2] px, the camera's, is taken away. A filled box has score 0, candidate −1,
    is occluded, and as uncertain as the more uncertain of its neighbours.

    Args:
        longest: [M] s, the longest gap that is filled behind each box.
    """
    missing = np.diff(labels.frame) - 1
    short = missing <= longest[:-1] * labels.info.frame_rate + 1e-9
    left = np.flatnonzero((np.diff(labels.track) == 0) & (missing > 0) & short)
    count = missing[left]
    before = np.repeat(left, count)  # [G]
    after = before + 1
    step = np.arange(len(before)) - np.repeat(np.cumsum(count) - count, count) + 1
    share = (step / np.repeat(count + 1, count))[:, None]
    frame = labels.frame[before] + step
    shift = np.tile(path, 2)  # [F, 4]
    start, end = (labels.box[rows] - shift[labels.frame[rows]] for rows in (before, after))
    filled = len(before)
    return Labels.build(
        labels.info,
        np.concatenate([labels.track, labels.track[before]]),
        np.concatenate([labels.frame, frame]),
        np.concatenate([labels.box, (1 - share) * start + share * end + shift[frame]]),
        class_id=np.concatenate([labels.class_id, labels.class_id[before]]),
        score=np.concatenate([labels.score, np.zeros(filled)]),
        candidate_id=np.concatenate([labels.candidate_id, np.full(filled, -1)]),
        occluded=np.concatenate([labels.occluded, np.ones(filled, bool)]),
        uncertainty=np.concatenate(
            [labels.uncertainty, np.maximum(labels.uncertainty[before], labels.uncertainty[after])]
        ),
    )
