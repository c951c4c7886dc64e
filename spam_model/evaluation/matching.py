"""Which object each candidate shows: for targets of training, for the oracle annotator and for benchmarks."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from spam_model.geometry import iou_matrix
from spam_model.values import Candidates, GroundTruth
from spam_model.values.candidates import IntArray

MATCH_IOU = 0.5
IGNORED = -2
NO_OBJECT = -1


def match_to_truth(candidates: Candidates, truth: GroundTruth) -> tuple[IntArray, IntArray]:
    """Each candidate's ground-truth identity and row, by Hungarian matching per frame and class at IoU ≥ 0.5.

    Returns:
        identity [N], ``NO_OBJECT`` for a false positive and ``IGNORED`` on distractors; truth row [N], -1 for none.
    """
    identity = np.full(len(candidates), NO_OBJECT, np.int64)
    truth_row = np.full(len(candidates), -1, np.int64)
    order = np.argsort(truth.frame, kind="stable")
    frames = np.arange(candidates.info.frame_count + 1)
    truth_start = np.searchsorted(truth.frame[order], frames)
    candidate_start = np.searchsorted(candidates.frame, frames)
    for frame in range(candidates.info.frame_count):
        mine = np.arange(candidate_start[frame], candidate_start[frame + 1])
        theirs = order[truth_start[frame] : truth_start[frame + 1]]
        if len(mine) == 0 or len(theirs) == 0:
            continue
        overlap = iou_matrix(candidates.box[mine], truth.box[theirs])
        overlap[candidates.class_id[mine][:, None] != truth.class_id[theirs][None, :]] = 0
        overlap[overlap < MATCH_IOU] = 0  # before the matching: a pair that is none must not displace one
        overlap[:, truth.ignored[theirs]] *= 0.5  # a real object goes before a distractor
        rows, columns = linear_sum_assignment(-overlap)
        good = overlap[rows, columns] > 0
        truth_row[mine[rows[good]]] = theirs[columns[good]]
    hit = truth_row >= 0
    identity[hit] = np.where(truth.ignored[truth_row[hit]], IGNORED, truth.track[truth_row[hit]])
    return identity, truth_row
