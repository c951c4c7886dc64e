"""The reference tracker of the bench: SORT (Bewley et al., Simple Online and Realtime Tracking, ICIP 2016), reduced.

Boxes move on with their last velocity instead of a Kalman filter's; IoU and Hungarian matching frame by frame, a track
ends after a few frames without a box. Greedy in time, no second look: what a graph hierarchy is to be compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from spam_model.geometry import iou_matrix
from spam_model.values import Candidates, Labels
from spam_model.values.candidates import FloatArray

MIN_SCORE = 0.4
MIN_IOU = 0.3
MAX_AGE = 5  # frames without a box
MIN_LENGTH = 3


@dataclass
class Track:
    rows: list[int]
    box: FloatArray
    velocity: FloatArray
    age: int = 0


def track_by_iou(candidates: Candidates) -> Labels:
    """One pass over the frames of a clip of one class."""
    alive: list[Track] = []
    ended: list[Track] = []
    starts = np.searchsorted(candidates.frame, np.arange(candidates.info.frame_count + 1))
    for first, last in pairwise(starts):
        rows = np.arange(first, last)
        rows = rows[candidates.score[rows] >= MIN_SCORE]
        predicted = np.array([track.box + (track.age + 1) * track.velocity for track in alive]).reshape(-1, 4)
        overlap = iou_matrix(predicted, candidates.box[rows])
        pairs = [(i, j) for i, j in zip(*linear_sum_assignment(-overlap), strict=True) if overlap[i, j] >= MIN_IOU]
        for i, j in pairs:
            box = candidates.box[rows[j]]
            step = (box - alive[i].box) / (alive[i].age + 1)
            alive[i] = Track([*alive[i].rows, int(rows[j])], box, (alive[i].velocity + step) / 2)
        seen = {i for i, _ in pairs}
        for i, track in enumerate(alive):
            track.age += i not in seen
        born = sorted(set(range(len(rows))) - {j for _, j in pairs})
        alive += [Track([int(rows[j])], candidates.box[rows[j]], np.zeros(4)) for j in born]
        ended += [track for track in alive if track.age > MAX_AGE]
        alive = [track for track in alive if track.age <= MAX_AGE]
    return _labels(candidates, [track.rows for track in ended + alive if len(track.rows) >= MIN_LENGTH])


def _labels(candidates: Candidates, tracks: list[list[int]]) -> Labels:
    rows = np.array([row for track in tracks for row in track], np.int64)
    return Labels.build(
        candidates.info,
        np.repeat(np.arange(len(tracks)), [len(track) for track in tracks]),
        candidates.frame[rows],
        candidates.box[rows],
        class_id=candidates.class_id[rows],
        score=candidates.score[rows],
        candidate_id=candidates.id[rows],
    )
