"""Is this box valid, and does it fit?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import linear_sum_assignment

from spam_model.active.anchors import anchors_of
from spam_model.geometry import iou_matrix
from spam_model.values import Candidates, LabelResult, Labels, Query, QueryKind, binary_entropy
from spam_model.values.candidates import BoolArray, IntArray

CHAIN_FRAMES = 3
CHAIN_IOU = 0.5
ALREADY_LABELLED_IOU = 0.4
LOCALIZATION_GAIN = 0.15  # boxes' worth of label error that redrawing a box of score 0 is taken to remove


def box_questions(result: LabelResult) -> Iterator[Query]:
    """Single boxes of tracks, and rejected boxes, these chained where they follow closely: one object or none.

    A rejected box that lies on a label adds nothing and is not asked about.
    """
    candidates, hierarchy = result.candidates, result.hierarchy
    kept = np.flatnonzero(hierarchy.track_of >= 0)
    rejected = np.flatnonzero((hierarchy.track_of < 0) & ~_lies_on_label(candidates, result.labels))
    for rows in [*kept[:, None], *_chains(candidates, rejected)]:
        probability = float(hierarchy.node_probability[rows].mean())
        wrong = 1 - probability if hierarchy.track_of[rows[0]] >= 0 else probability
        yield Query(
            kind=QueryKind.DETECTION,
            level=0,
            subject=anchors_of(candidates, rows),
            uncertainty=float(binary_entropy(np.array([probability]))[0]),
            boxes_decided=len(rows),
            value=wrong * len(rows),
        )


def localization_questions(result: LabelResult) -> Iterator[Query]:
    """Boxes that are pushed, the more valuable the less sure the detector was."""
    candidates = result.candidates
    for row in np.flatnonzero(np.isin(candidates.id, result.labels.candidate_id)):
        yield Query(
            kind=QueryKind.LOCALIZATION,
            level=0,
            subject=anchors_of(candidates, np.array([row])),
            value=LOCALIZATION_GAIN * (1 - float(candidates.score[row])) / 2,
        )


def _lies_on_label(candidates: Candidates, labels: Labels) -> BoolArray:
    """[N]: whether the candidate overlaps a label of its frame and class."""
    result = np.zeros(len(candidates), bool)
    for frame in np.unique(candidates.frame):
        here = np.flatnonzero(candidates.frame == frame)
        there = np.flatnonzero(labels.frame == frame)
        overlap = iou_matrix(candidates.box[here], labels.box[there])
        overlap[candidates.class_id[here][:, None] != labels.class_id[there][None, :]] = 0
        result[here] = overlap.max(axis=1, initial=0) >= ALREADY_LABELLED_IOU
    return result


def _chains(candidates: Candidates, rows: IntArray) -> list[IntArray]:
    """Splits candidates into chains of boxes that overlap their predecessor within a few frames."""
    open_chains: list[list[int]] = []
    done: list[IntArray] = []
    for frame in np.unique(candidates.frame[rows]):
        here = rows[candidates.frame[rows] == frame]
        done += [np.array(c) for c in open_chains if frame - candidates.frame[c[-1]] > CHAIN_FRAMES]
        open_chains = [c for c in open_chains if frame - candidates.frame[c[-1]] <= CHAIN_FRAMES]
        last = np.array([chain[-1] for chain in open_chains], np.int64)
        overlap = iou_matrix(candidates.box[here], candidates.box[last])
        overlap[candidates.class_id[here][:, None] != candidates.class_id[last][None, :]] = 0
        overlap[overlap < CHAIN_IOU] = 0
        pairs = zip(*linear_sum_assignment(-overlap), strict=True)
        joined = {int(i): int(j) for i, j in pairs if overlap[i, j] >= CHAIN_IOU}
        for i, row in enumerate(here.tolist()):
            if i in joined:
                open_chains[joined[i]].append(row)
            else:
                open_chains.append([row])
    return done + [np.array(chain) for chain in open_chains]
