"""Camera motion from the boxes alone: what all boxes do together between two frames, the camera did.

Every pair of boxes of similar size in neighbouring frames is a hypothesis of the camera's shift. The hypotheses vote
for each other with a Gaussian kernel of 0.06 heights; the last shift has votes too, so that a few walkers do not drag
an otherwise steady camera. Only translation is found; a zoom or a roll is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spam_model import geometry
from spam_model.values import Candidates
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

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
class _Boxes:
    """Of all candidates: middle [N, 2] px, log of width and height [N, 2], height [N] px, score [N], class [N]."""

    middle: FloatArray
    log_size: FloatArray
    height: FloatArray
    score: FloatArray
    class_id: IntArray

    def pairs(self, now: slice, then: slice) -> _Pairs:
        """The boxes of two frames that may show one object."""
        x, y = (self.middle[then, axis] - self.middle[now, axis, None] for axis in range(2))  # [A, B]
        height = (self.height[now, None] + self.height[then]) / 2
        plausible = self.class_id[now, None] == self.class_id[then]
        for shift, size, most in zip((x, y), self.log_size.T, MAX_LOG_SIZE, strict=True):
            plausible &= np.abs(shift) < MAX_SHIFT * height
            plausible &= np.abs(size[then] - size[now, None]) < most
        first, second = np.nonzero(plausible)
        weight = self.score[now][first] * self.score[then][second]
        if len(first) > MAX_HYPOTHESES:
            best = np.argsort(-weight, kind="stable")[:MAX_HYPOTHESES]
            first, second, weight = first[best], second[best], weight[best]
        return _Pairs(x[first, second], y[first, second], height[first, second], weight)


@dataclass(frozen=True)
class _Pairs:
    """K pairs of boxes of neighbouring frames: shift ``x``, ``y`` [K] px, ``height`` [K] px, ``weight`` [K]."""

    x: FloatArray
    y: FloatArray
    height: FloatArray
    weight: FloatArray

    @cached_property
    def precision(self) -> FloatArray:
        """1 / σ² of each pair's vote, [K]."""
        return np.asarray(1.0 / np.square(KERNEL * self.height))

    def votes(self, x: FloatArray | float, y: FloatArray | float) -> FloatArray:
        """Votes of each pair for shifts x, y (numbers, or [S, 1]). [K] or [S, K]."""
        distance = np.square(x - self.x) + np.square(y - self.y)
        return np.asarray(self.weight * np.exp(-0.5 * distance * self.precision))

    def take(self, rows: BoolArray) -> _Pairs:
        return _Pairs(self.x[rows], self.y[rows], self.height[rows], self.weight[rows])

    def lengths(self) -> tuple[float, float]:
        """Sum over the pairs of their shifts' lengths, in heights; and once the others' mean shift is taken away."""
        weight = self.weight / np.square(self.height)
        left = [own - ((weight @ own) - weight * own) / (weight.sum() - weight) for own in (self.x, self.y)]
        return float((np.hypot(self.x, self.y) / self.height).sum()), float((np.hypot(*left) / self.height).sum())


def camera_path(candidates: Candidates) -> FloatArray:
    """Cumulative translation of the image, [F, 2] px, 0 at frame 0: what was seen in the pixels, else what boxes say.

    A box's position in the scene is its position in the image − path[frame]. The path is 0 throughout where the
    others' motion predicts less than ``MIN_EXPLAINED`` of a box's own: that camera stands still. (Measured: at most
    0.15 for still cameras, simulated and real, 0.22–0.35 on MOT17-05 and MOT17-11.) It is 0 as well where fewer than
    ``MIN_AGREEING`` boxes move together as a rule: one walker's motion says nothing about the camera.
    """
    if candidates.camera is not None:
        return candidates.camera
    frames = candidates.info.frame_count
    size = geometry.sizes(candidates.box)
    boxes = _Boxes(
        geometry.centres(candidates.box),
        np.log(size),
        size[:, 1],
        np.maximum(candidates.score, 1e-3),
        candidates.class_id,
    )
    bounds = np.searchsorted(candidates.frame, np.arange(frames + 1)).tolist()
    shifts = np.zeros((frames, 2))
    moved, left = 0.0, 0.0  # heights: without, and with the shift of all others taken away
    agreeing = np.zeros(frames - 1)
    x, y = 0.0, 0.0
    for frame in range(1, frames):
        now, then = slice(*bounds[frame - 1 : frame + 1]), slice(*bounds[frame : frame + 2])
        pairs = boxes.pairs(now, then) if now.start < now.stop and then.start < then.stop else None
        if pairs is None or len(pairs.weight) == 0:
            shifts[frame] = x, y = x * 0.5, y * 0.5
            continue
        shifts[frame] = x, y = _shift(pairs, x, y)
        pairs = pairs.take(pairs.votes(x, y) > 0.3 * pairs.weight)
        agreeing[frame - 1] = len(pairs.weight)
        if len(pairs.weight) > 1:
            lengths = pairs.lengths()
            moved += lengths[0]
            left += lengths[1]
    if frames == 1 or np.median(agreeing) < MIN_AGREEING or moved == 0 or 1 - left / moved < MIN_EXPLAINED:
        return np.zeros((frames, 2))
    return np.cumsum(shifts, axis=0)


def _shift(pairs: _Pairs, last_x: float, last_y: float) -> tuple[float, float]:
    """The shift of most votes, refined by mean shift. Arguments and result in px."""
    precision = 1.0 / (PULL_WIDTH * float(pairs.height @ pairs.weight / pairs.weight.sum())) ** 2
    x, y = np.append(pairs.x, last_x), np.append(pairs.y, last_y)  # hypotheses
    pull = PULL * np.exp(-0.5 * precision * (np.square(x - last_x) + np.square(y - last_y)))
    best = np.argmax(pairs.votes(x[:, None], y[:, None]).sum(axis=1) + pull)
    at_x, at_y = float(x[best]), float(y[best])
    for _ in range(REFINEMENTS):
        votes = pairs.votes(at_x, at_y) * pairs.precision
        keep = PULL * math.exp(-0.5 * precision * ((at_x - last_x) ** 2 + (at_y - last_y) ** 2)) * precision
        total = float(votes.sum()) + keep
        at_x, at_y = float(votes @ pairs.x + keep * last_x) / total, float(votes @ pairs.y + keep * last_y) / total
    return at_x, at_y
