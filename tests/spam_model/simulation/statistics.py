"""Statistics of candidates that need no labels, by which simulated and real detections are compared.

Candidates of neighbouring frames are chained where each is the other's best overlap and IoU ≥ 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model import geometry
from spam_model.values import Candidates


@dataclass(frozen=True)
class Statistics:
    """Medians of |second difference| / 2.45 (σ of white noise) over height or of log sizes, and counts."""

    jitter_x: float
    jitter_y: float
    jitter_log_height: float
    jitter_log_width: float
    per_frame: float
    score_histogram: np.ndarray  # shares of scores in [0.1, 0.3), [0.3, 0.5), [0.5, 0.7), [0.7, 0.9), [0.9, 1]
    share_overlapped: float  # candidates of score >= 0.5 that overlap another of score >= 0.5 at IoU > 0.3
    mean_chain: float  # candidates per chain
    short_gap_share: float  # chains of >= 5 whose object is found again within 0.5 s near its predicted place
    gap_quartiles: np.ndarray  # frames, [3]


def chains(candidates: Candidates) -> np.ndarray:
    """Row of the successor in the next frame, -1 for none. [N]."""
    successor = np.full(len(candidates), -1)
    bounds = np.searchsorted(candidates.frame, np.arange(candidates.info.frame_count + 1))
    for frame in range(candidates.info.frame_count - 1):
        now, then = np.arange(bounds[frame], bounds[frame + 1]), np.arange(bounds[frame + 1], bounds[frame + 2])
        if len(now) == 0 or len(then) == 0:
            continue
        iou = geometry.iou_matrix(candidates.box[now], candidates.box[then])
        best = iou.argmax(axis=1)
        mutual = (iou.argmax(axis=0)[best] == np.arange(len(now))) & (iou.max(axis=1) >= 0.5)
        successor[now[mutual]] = then[best[mutual]]
    return successor


def statistics(candidates: Candidates) -> Statistics:
    successor = chains(candidates)
    first = np.flatnonzero(successor >= 0)
    second = successor[first]
    third = successor[second]
    triple = (third >= 0) & (candidates.score[first] >= 0.6) & (candidates.score[second] >= 0.6)
    a, b, c = (candidates.box[rows[triple]] for rows in (first, second, third))
    height = geometry.sizes(b)[:, 1]
    bend = geometry.bottom_centres(a) + geometry.bottom_centres(c) - 2 * geometry.bottom_centres(b)
    log_size = [np.log(geometry.sizes(box)) for box in (a, b, c)]
    log_bend = log_size[0] + log_size[2] - 2 * log_size[1]

    def sigma(values: np.ndarray) -> float:
        return float(np.median(np.abs(values)) / 0.6745 / np.sqrt(6)) if len(values) else np.nan

    strong = candidates.take(candidates.score >= 0.5)
    overlapped = 0
    for frame in range(candidates.info.frame_count):
        box = strong.box[strong.frame == frame]
        iou = geometry.iou_matrix(box, box)
        np.fill_diagonal(iou, 0)
        overlapped += int((iou.max(axis=1, initial=0) > 0.3).sum())
    starts = np.setdiff1d(np.flatnonzero(successor >= 0), successor)
    length = np.ones(len(candidates), int)
    for row in np.flatnonzero(successor >= 0)[::-1]:
        length[row] = length[successor[row]] + 1
    gaps = _gaps(candidates, successor, length)
    histogram = np.histogram(candidates.score, [0.1, 0.3, 0.5, 0.7, 0.9, 1.001])[0] / max(len(candidates), 1)
    return Statistics(
        jitter_x=sigma(bend[:, 0] / height),
        jitter_y=sigma(bend[:, 1] / height),
        jitter_log_height=sigma(log_bend[:, 1]),
        jitter_log_width=sigma(log_bend[:, 0]),
        per_frame=len(candidates) / candidates.info.frame_count,
        score_histogram=histogram,
        share_overlapped=overlapped / max(len(strong), 1),
        mean_chain=float(length[starts].mean()) if len(starts) else 0.0,
        short_gap_share=float((gaps > 0).mean()) if len(gaps) else 0.0,
        gap_quartiles=np.percentile(gaps[gaps > 0], [25, 50, 75]) if (gaps > 0).any() else np.zeros(3),
    )


def _gaps(candidates: Candidates, successor: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Frames until a chain that ended is found again (IoU ≥ 0.5 with its last box), 0 where it is not."""
    has_before = np.zeros(len(candidates), bool)
    has_before[successor[successor >= 0]] = True
    starts = np.flatnonzero(~has_before)
    ends = np.flatnonzero((successor < 0) & has_before)
    limit = max(2, round(0.5 * candidates.info.frame_rate))
    found = np.zeros(len(ends), int)
    for index, end in enumerate(ends):
        wait = candidates.frame[starts] - candidates.frame[end]
        near = starts[(wait > 1) & (wait <= limit)]
        if len(near):
            iou = geometry.iou_matrix(candidates.box[end : end + 1], candidates.box[near])[0]
            hits = near[iou >= 0.5]
            if len(hits):
                found[index] = candidates.frame[hits].min() - candidates.frame[end] - 1
    return found
