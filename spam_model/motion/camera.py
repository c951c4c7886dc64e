"""Camera motion from the boxes alone: what all boxes do together between two frames, the camera did.

Every pair of boxes of similar size in neighbouring frames is a hypothesis of the camera's shift. The hypotheses vote
for each other with a Gaussian kernel of 0.06 heights; the last shift has votes too, so that a few walkers do not drag
an otherwise steady camera. Only translation is found; a zoom or a roll is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model import geometry
from spam_model.values import Candidates
from spam_model.values.candidates import BoolArray, FloatArray

KERNEL = 0.06  # heights
MAX_SHIFT = 1.0  # heights between two frames
MAX_LOG_SIZE = np.array([0.35, 0.15])  # of width and height, between two boxes of one object
MAX_HYPOTHESES = 400
PULL = 1.0  # votes that the last shift has
PULL_WIDTH = 0.2  # heights
REFINEMENTS = 4
MIN_EXPLAINED = 0.1  # share of a box's motion that the motion of the others predicts, at least
MIN_AGREEING = 3  # pairs that agree with the shift, in half of the frames at least


@dataclass(frozen=True)
class _Pairs:
    """K pairs of boxes of neighbouring frames: ``shift`` [K, 2] px, ``height`` [K] px, ``weight`` [K]."""

    shift: FloatArray
    height: FloatArray
    weight: FloatArray

    def votes(self, at: FloatArray) -> FloatArray:
        """Votes of each pair for each shift, [S, 2] -> [S, K]."""
        distance = np.square(at[:, None, :] - self.shift[None, :, :]).sum(axis=2)
        return np.asarray(self.weight * np.exp(-0.5 * distance / np.square(KERNEL * self.height)))

    def take(self, rows: BoolArray) -> _Pairs:
        return _Pairs(self.shift[rows], self.height[rows], self.weight[rows])

    def shift_of_others(self) -> FloatArray:
        """Weighted mean shift of all pairs but the one itself, [K, 2]."""
        weight = (self.weight / np.square(self.height))[:, None]
        return np.asarray(((weight * self.shift).sum(axis=0) - weight * self.shift) / (weight.sum() - weight))

    def lengths(self, shift: FloatArray) -> float:
        """Sum over the pairs of the lengths of ``shift`` [K, 2], in heights."""
        return float((np.hypot(shift[:, 0], shift[:, 1]) / self.height).sum())


def camera_path(candidates: Candidates) -> FloatArray:
    """Cumulative translation of the image, [F, 2] px, 0 at frame 0.

    A box's position in the scene is its position in the image − path[frame]. The path is 0 throughout where the
    others' motion predicts less than ``MIN_EXPLAINED`` of a box's own: that camera stands still. (Measured: at most
    0.15 for still cameras, simulated and real, 0.22–0.35 on MOT17-05 and MOT17-11.) It is 0 as well where fewer than
    ``MIN_AGREEING`` boxes move together as a rule: one walker's motion says nothing about the camera.
    """
    frames = candidates.info.frame_count
    bounds = np.searchsorted(candidates.frame, np.arange(frames + 1))
    shifts = np.zeros((frames, 2))
    moved, left, agreeing = 0.0, 0.0, []  # heights: without, and with the shift of all others taken away
    for frame in range(1, frames):
        pairs = _pairs(candidates, slice(*bounds[frame - 1 : frame + 1]), slice(*bounds[frame : frame + 2]))
        shifts[frame] = _shift(pairs, shifts[frame - 1])
        pairs = pairs.take(pairs.votes(shifts[frame : frame + 1])[0] > 0.3 * pairs.weight)
        agreeing.append(len(pairs.weight))
        if len(pairs.weight) > 1:
            moved += pairs.lengths(pairs.shift)
            left += pairs.lengths(pairs.shift - pairs.shift_of_others())
    if frames == 1 or np.median(agreeing) < MIN_AGREEING or moved == 0 or 1 - left / moved < MIN_EXPLAINED:
        return np.zeros((frames, 2))
    return np.cumsum(shifts, axis=0)


def _pairs(candidates: Candidates, now: slice, then: slice) -> _Pairs:
    size_now, size_then = geometry.sizes(candidates.box[now]), geometry.sizes(candidates.box[then])
    shift = geometry.centres(candidates.box[then])[None] - geometry.centres(candidates.box[now])[:, None]  # [A, B, 2]
    alike = (np.abs(np.log(size_then)[None] - np.log(size_now)[:, None]) < MAX_LOG_SIZE).all(axis=2)
    height = (size_now[:, None, 1] + size_then[None, :, 1]) / 2
    weight = candidates.score[now][:, None] * candidates.score[then][None]
    first, second = np.nonzero(alike & (np.abs(shift).max(axis=2) < MAX_SHIFT * height))
    if len(first) > MAX_HYPOTHESES:
        best = np.argsort(-weight[first, second], kind="stable")[:MAX_HYPOTHESES]
        first, second = first[best], second[best]
    return _Pairs(shift[first, second], height[first, second], weight[first, second])


def _shift(pairs: _Pairs, last: FloatArray) -> FloatArray:
    """The shift of most votes, refined by mean shift. [2] -> [2] px."""
    if len(pairs.weight) == 0:
        return np.asarray(last * 0.5)
    width = PULL_WIDTH * float(np.average(pairs.height, weights=pairs.weight))

    def pull(at: FloatArray) -> FloatArray:
        return np.asarray(PULL * np.exp(-0.5 * np.square(at - last).sum(axis=1) / width**2))

    hypotheses = np.concatenate([pairs.shift, last[None]])
    shift = hypotheses[np.argmax(pairs.votes(hypotheses).sum(axis=1) + pull(hypotheses))]
    for _ in range(REFINEMENTS):
        votes = pairs.votes(shift[None])[0] / np.square(KERNEL * pairs.height)
        keep = float(pull(shift[None])[0]) / width**2
        shift = np.asarray((votes @ pairs.shift + keep * last) / (votes.sum() + keep))
    return np.asarray(shift)
