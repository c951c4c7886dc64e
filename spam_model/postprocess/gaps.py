"""Filling short gaps of tracks with boxes on a straight line between the boxes on both sides."""

from __future__ import annotations

import numpy as np

from spam_model.values import Labels
from spam_model.values.candidates import FloatArray


def fill_gaps(labels: Labels, path: FloatArray, max_gap: float) -> Labels:
    """Labels with a box in every frame of the gaps of up to ``max_gap`` seconds.

    The line is straight once ``path`` [F, 2] px, the camera's, is taken away. A filled box has score 0, candidate −1,
    is occluded, and as uncertain as the more uncertain of its neighbours.
    """
    missing = np.diff(labels.frame) - 1
    left = np.flatnonzero(
        (np.diff(labels.track) == 0) & (missing > 0) & (missing <= max_gap * labels.info.frame_rate + 1e-9)
    )
    count = missing[left]
    before = np.repeat(left, count)  # [G]
    after = before + 1
    step = np.arange(len(before)) - np.repeat(np.cumsum(count) - count, count) + 1
    share = (step / np.repeat(count + 1, count))[:, None]
    frame = labels.frame[before] + step
    shift = np.tile(path, 2)  # [F, 4]
    start, end = (labels.box[rows] - shift[labels.frame[rows]] for rows in (before, after))
    box = (1 - share) * start + share * end + shift[frame]
    track = np.concatenate([labels.track, labels.track[before]])
    frames = np.concatenate([labels.frame, frame])
    order = np.lexsort((frames, track))
    filled = len(before)
    return Labels(
        info=labels.info,
        track=track[order],
        frame=frames[order],
        box=np.concatenate([labels.box, box])[order],
        class_id=np.concatenate([labels.class_id, labels.class_id[before]])[order],
        score=np.concatenate([labels.score, np.zeros(filled)])[order],
        candidate_id=np.concatenate([labels.candidate_id, np.full(filled, -1, np.int64)])[order],
        occluded=np.concatenate([labels.occluded, np.ones(filled, bool)])[order],
        uncertainty=np.concatenate(
            [labels.uncertainty, np.maximum(labels.uncertainty[before], labels.uncertainty[after])]
        )[order],
    )
