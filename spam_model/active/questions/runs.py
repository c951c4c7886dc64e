"""Stretches of doubtful boxes: inside tracks, above all at their ends, and chains of boxes that were rejected."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy.optimize import linear_sum_assignment

from spam_model.active.anchors import anchors_of
from spam_model.active.questions import stakes
from spam_model.active.questions.draft import Draft
from spam_model.active.questions.view import ReviewView
from spam_model.geometry import iou_matrix
from spam_model.values import Candidates, LabelResult, Labels, Query, QueryKind, Topic, binary_entropy
from spam_model.values.candidates import BoolArray, IntArray

FEATURES = ("mean logit", "mean strength", "log boxes", "at an end", "border")
DOUBTFUL_LOGIT = 1.0  # a box of a track below this is in doubt
LONGEST_RUN = 1.5  # s
CHAIN_FRAMES = 3
CHAIN_IOU = 0.5
ALREADY_LABELLED_IOU = 0.4


def run_drafts(view: ReviewView) -> Iterator[Draft]:
    """Unbroken stretches of doubtful boxes in pushed tracks."""
    longest = max(1, round(LONGEST_RUN * view.result.candidates.info.frame_rate))
    for rows in view.tracks.values():
        if not view.pushed[rows].any():
            continue
        doubtful = np.concatenate([[False], view.node_logit[rows] < DOUBTFUL_LOGIT, [False]])
        for start, stop in np.flatnonzero(np.diff(doubtful.astype(int))).reshape(-1, 2).tolist():
            rest = len(rows) - (stop - start)
            if stop - start > longest or rest == 0:
                continue
            run = rows[start:stop]
            yield Draft(
                topic=Topic.RUN,
                features=(*_features(view, run), float(start == 0 or stop == len(rows)), _border(view, run)),
                stake=stakes.false_part(len(run), rest),
                clicks=1,
                build=partial(_query, view.result, run, "yes"),
            )


def missed_drafts(view: ReviewView) -> Iterator[Draft]:
    """Rejected boxes, chained where they follow closely. One that lies on a label adds nothing and is left out."""
    for run in rejected_chains(view):
        yield Draft(
            topic=Topic.MISSED,
            features=(*_features(view, run), 0.0, _border(view, run)),
            stake=stakes.missed_track(len(run)),
            clicks=1,
            build=partial(_query, view.result, run, "no"),
        )


def rejected_chains(view: ReviewView) -> list[IntArray]:
    """Of boxes that no person rejected (probability 0), on no label."""
    candidates, hierarchy = view.result.candidates, view.result.hierarchy
    free = (hierarchy.track_of < 0) & (hierarchy.node_probability > 0) & ~lies_on_label(candidates, view.result.labels)
    return chains(candidates, np.flatnonzero(free))


def _features(view: ReviewView, rows: IntArray) -> tuple[float, float, float]:
    return float(view.node_logit[rows].mean()), float(view.strength[rows].mean()), float(np.log(len(rows)))


def _border(view: ReviewView, rows: IntArray) -> float:
    return float(min(view.scene.border[rows].min(), 1.0))


def _query(result: LabelResult, rows: IntArray, expected: str) -> Query:
    probability = float(result.hierarchy.node_probability[rows].mean())
    return Query(
        kind=QueryKind.DETECTION,
        level=0,
        subject=anchors_of(result.candidates, rows),
        uncertainty=float(binary_entropy(np.array([probability]))[0]),
        boxes_decided=len(rows),
        expected=expected,
    )


def lies_on_label(candidates: Candidates, labels: Labels) -> BoolArray:
    """[N]: whether the candidate overlaps a label of its frame and class."""
    result = np.zeros(len(candidates), bool)
    order = np.argsort(labels.frame, kind="stable")
    frames = np.unique(candidates.frame)
    here = np.searchsorted(candidates.frame, [frames, frames + 1]).T
    there = np.searchsorted(labels.frame[order], [frames, frames + 1]).T
    for (first, last), (begin, end) in zip(here.tolist(), there.tolist(), strict=True):
        rows = order[begin:end]
        overlap = iou_matrix(candidates.box[first:last], labels.box[rows])
        overlap[candidates.class_id[first:last][:, None] != labels.class_id[rows][None, :]] = 0
        result[first:last] = overlap.max(axis=1, initial=0) >= ALREADY_LABELLED_IOU
    return result


def chains(candidates: Candidates, rows: IntArray) -> list[IntArray]:
    """Splits candidates into chains of boxes that overlap their predecessor within a few frames."""
    open_chains: list[list[int]] = []
    done: list[IntArray] = []
    frames, starts = np.unique(candidates.frame[rows], return_index=True)
    for frame, here in zip(frames.tolist(), np.split(rows, starts[1:]), strict=False):
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
