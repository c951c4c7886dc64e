"""Rows of candidates by track."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spam_model.values.candidates import IntArray


def rows_per_track(track_of: IntArray) -> dict[int, IntArray]:
    """Rows of each final track, in time order; tracks of -1 (none) left out."""
    order = np.argsort(track_of, kind="stable")
    tracks, starts = np.unique(track_of[order], return_index=True)
    bounds = pairwise([*starts.tolist(), len(order)])
    return {
        track: order[first:last] for track, (first, last) in zip(tracks.tolist(), bounds, strict=True) if track >= 0
    }
