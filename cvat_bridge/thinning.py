"""Keyframes: as few as CVAT's linear interpolation needs to give the boxes back within a tolerance.

Keyframes decide what a push costs (measured: 500 tracks × 1000 frames, a keyframe at every frame 107 s, at every tenth
11 s).
"""

from __future__ import annotations

import numpy as np

from spam_model.values.candidates import BoolArray, FloatArray, IntArray

TOLERANCE_SHARE = 0.01  # of the box's mean side
MIN_TOLERANCE_PX = 0.5


def keyframe_positions(frame: IntArray, box: FloatArray, flag: BoolArray) -> IntArray:
    """Which of N consecutive boxes of one track to keep, first and last included.

    Between two kept ones, linear interpolation stays within the tolerance of every box left out at every corner, and
    ``flag`` (occluded) does not change. Greedy from the left; each step doubles, then bisects.

    Args:
        frame: [N] ascending. box: [N, 4] px. flag: [N].

    Returns:
        [K] positions, ascending.
    """
    count = len(frame)
    tolerance = np.maximum(MIN_TOLERANCE_PX, TOLERANCE_SHARE * (box[:, 2:] - box[:, :2]).mean(axis=1))  # [N]
    change = np.flatnonzero(np.diff(flag.astype(np.int8))) + 1
    kept = [0]
    while kept[-1] < count - 1:
        first = kept[-1]
        later = change[change > first]
        limit = int(later[0]) if len(later) else count - 1
        kept.append(_furthest(frame, box, tolerance, first, limit))
    return np.array(kept, np.int64)


def _furthest(frame: IntArray, box: FloatArray, tolerance: FloatArray, first: int, limit: int) -> int:
    good, step = first + 1, 1
    while good + step <= limit and _fits(frame, box, tolerance, first, good + step):
        good, step = good + step, 2 * step
    while step > 1:
        step //= 2
        if good + step <= limit and _fits(frame, box, tolerance, first, good + step):
            good += step
    return good


def _fits(frame: IntArray, box: FloatArray, tolerance: FloatArray, first: int, last: int) -> bool:
    inner = slice(first + 1, last)
    share = (frame[inner] - frame[first]) / (frame[last] - frame[first])  # [M]
    line = box[first] + share[:, None] * (box[last] - box[first])  # [M, 4]
    return bool((np.abs(line - box[inner]).max(axis=1, initial=0) <= tolerance[inner]).all())
