"""From truth and labels to the arrays that TrackEval's metrics read, with MOTChallenge's preprocessing.

Labels that match an ignored (distractor) box are removed: per frame, labels and all ground truth boxes are matched by
Hungarian assignment on IoU ≥ 0.5, and a label matched to a distractor counts neither as a hit nor as a false alarm.
Ignored boxes of class −1 (vehicles, occluders) take part in the matching, but a label matched to one stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from spam_model import geometry
from spam_model.values import GroundTruth, Labels
from spam_model.values.candidates import FloatArray, IntArray

EPSILON = float(np.finfo("float").eps)


def metric_data(truth: GroundTruth, labels: Labels) -> dict[str, Any]:
    """The ``data`` of one sequence: per-frame ids (renumbered from 0) and similarities, and their counts."""
    frames = truth.info.frame_count
    truth_rows, label_rows = _rows_by_frame(truth.frame, frames), _rows_by_frame(labels.frame, frames)
    kept_truth, kept_labels, similarity = [], [], []
    for of_truth, of_labels in zip(truth_rows, label_rows, strict=True):
        iou = geometry.iou_matrix(truth.box[of_truth], labels.box[of_labels])
        removed = _on_distractors(iou, truth.ignored[of_truth] & (truth.class_id[of_truth] >= 0))
        counted, stays = ~truth.ignored[of_truth], np.setdiff1d(np.arange(len(of_labels)), removed)
        kept_truth.append(of_truth[counted])
        kept_labels.append(of_labels[stays])
        similarity.append(iou[counted][:, stays])
    truth_ids, truth_count = _renumbered(truth.track, kept_truth)
    label_ids, label_count = _renumbered(labels.track, kept_labels)
    return {
        "num_timesteps": frames,
        "num_gt_dets": sum(len(rows) for rows in kept_truth),
        "num_tracker_dets": sum(len(rows) for rows in kept_labels),
        "num_gt_ids": truth_count,
        "num_tracker_ids": label_count,
        "gt_ids": truth_ids,
        "tracker_ids": label_ids,
        "similarity_scores": similarity,
    }


def _rows_by_frame(frame: IntArray, frames: int) -> list[IntArray]:
    order = np.argsort(frame, kind="stable")
    return np.split(order, np.searchsorted(frame[order], np.arange(1, frames)))


def _on_distractors(iou: FloatArray, distractor: np.ndarray) -> IntArray:
    """Columns of the labels that are matched to a distractor."""
    if not distractor.any():
        return np.zeros(0, np.int64)
    score = np.where(iou < 0.5 - EPSILON, 0.0, iou)
    rows, columns = linear_sum_assignment(-score)
    hit = (score[rows, columns] > EPSILON) & distractor[rows]
    return np.asarray(columns[hit])


def _renumbered(track: IntArray, rows: list[IntArray]) -> tuple[list[IntArray], int]:
    known = np.unique(track[np.concatenate(rows)])
    return [np.searchsorted(known, track[part]) for part in rows], len(known)
