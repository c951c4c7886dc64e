"""Is this whole track one valid object? One poster on a wall is one click, not five hundred."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.values import LabelResult, Query, QueryKind, binary_entropy
from spam_model.values.candidates import IntArray


def track_questions(result: LabelResult) -> Iterator[Query]:
    """One per final track, those that the last filter dropped included.

    The expected error is what the track's boxes would cost if the decision about it is wrong: (1 − p)·n for a track
    that is pushed, p·n for one that is not, with p the mean probability of its candidates.
    """
    hierarchy = result.hierarchy
    pushed = np.isin(result.candidates.id, result.labels.candidate_id)
    for rows in rows_per_track(hierarchy.track_of).values():
        probability = float(hierarchy.node_probability[rows].mean())
        wrong = 1 - probability if pushed[rows].any() else probability
        yield Query(
            kind=QueryKind.DETECTION,
            level=len(hierarchy.levels),
            subject=anchors_of(result.candidates, rows),
            uncertainty=float(binary_entropy(np.array([probability]))[0]),
            boxes_decided=len(rows),
            value=wrong * len(rows),
        )


def rows_per_track(track_of: IntArray) -> dict[int, IntArray]:
    """Rows of each final track, in time order; tracks of -1 (none) left out."""
    order = np.argsort(track_of, kind="stable")
    tracks, starts = np.unique(track_of[order], return_index=True)
    bounds = pairwise([*starts.tolist(), len(order)])
    return {
        track: order[first:last] for track, (first, last) in zip(tracks.tolist(), bounds, strict=True) if track >= 0
    }
