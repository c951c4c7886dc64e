"""What every file of boxes is checked for, whatever its layout."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spam_model.errors import FormatError
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

log = logging.getLogger(__name__)


def with_area(box: FloatArray, path: Path) -> BoolArray:
    """Which boxes x1, y1, x2, y2 have an area, [N, 4] -> [N]; says how many of the file have none."""
    solid = (box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1])
    if not solid.all():
        log.warning("%s: %d rows without an area left out", path, int((~solid).sum()))
    return np.asarray(solid)


def track_order(track: IntArray, frame: IntArray, place: Callable[[int], str], first_frame: int = 1) -> IntArray:
    """The rows' order by track, then frame. [N], [N] -> [N].

    Args:
        place: what to call a row in a message.
        first_frame: what the file calls the clip's first frame.

    Raises:
        FormatError: a track has two boxes in a frame.
    """
    order = np.lexsort((frame, track))
    twice = (np.diff(track[order]) == 0) & (np.diff(frame[order]) == 0)
    if twice.any():
        row = int(order[1:][twice][0])
        raise FormatError(f"{place(row)}: track {track[row]} has a second box in frame {frame[row] + first_frame}")
    return order
