"""Camera motion from the boxes: the shift that most pairs of similar boxes in neighbouring frames agree on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spam_model.values import Candidates

KERNEL, PULL, PULL_WIDTH = 0.06, 1.0, 0.2  # heights, votes, heights
Vector = tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """Two boxes that may be one object: its shift in px, mean height in px, product of the scores."""

    dx: float
    dy: float
    height: float
    weight: float

    def vote(self, x: float, y: float) -> float:
        squared = (x - self.dx) ** 2 + (y - self.dy) ** 2
        return self.weight * math.exp(-0.5 * squared / (KERNEL * self.height) ** 2)


def camera_path(candidates: Candidates) -> list[Vector]:
    """Where the camera's image has moved to in each frame, px; 0 throughout where the camera seems to stand."""
    frames = candidates.info.frame_count
    still = [(0.0, 0.0)] * frames
    in_frame: list[list[int]] = [[] for _ in range(frames)]
    for row, frame in enumerate(candidates.frame.tolist()):
        in_frame[frame].append(row)
    last, path = (0.0, 0.0), [(0.0, 0.0)]
    moved, left, agreeing = 0.0, 0.0, []
    for frame in range(1, frames):
        pairs = pairs_of(candidates, in_frame[frame - 1], in_frame[frame])
        last = shift_of(pairs, last)
        path.append((path[-1][0] + last[0], path[-1][1] + last[1]))
        agree = [pair for pair in pairs if pair.vote(*last) > 0.3 * pair.weight]
        agreeing.append(len(agree))
        if len(agree) > 1:
            moved += sum(math.hypot(pair.dx, pair.dy) / pair.height for pair in agree)
            for pair in agree:
                x, y = mean_shift([other for other in agree if other is not pair])
                left += math.hypot(pair.dx - x, pair.dy - y) / pair.height
    if frames == 1 or np.median(agreeing) < 3 or moved == 0 or 1 - left / moved < 0.1:
        return still
    return path


def pairs_of(candidates: Candidates, now: list[int], then: list[int]) -> list[Pair]:
    pairs = []
    for a in now:
        for b in then:
            (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = candidates.box[a].tolist(), candidates.box[b].tolist()
            width, height = math.log((bx2 - bx1) / (ax2 - ax1)), math.log((by2 - by1) / (ay2 - ay1))
            dx, dy = (bx1 + bx2 - ax1 - ax2) / 2, (by1 + by2 - ay1 - ay2) / 2
            mean_height = (ay2 - ay1 + by2 - by1) / 2
            if abs(width) < 0.35 and abs(height) < 0.15 and max(abs(dx), abs(dy)) < mean_height:
                pairs.append(Pair(dx, dy, mean_height, float(candidates.score[a] * candidates.score[b])))
    return sorted(pairs, key=lambda pair: -pair.weight)[:400] if len(pairs) > 400 else pairs


def mean_shift(pairs: list[Pair]) -> Vector:
    weight = [pair.weight / pair.height**2 for pair in pairs]
    total = sum(weight)
    return (
        sum(w * pair.dx for w, pair in zip(weight, pairs, strict=True)) / total,
        sum(w * pair.dy for w, pair in zip(weight, pairs, strict=True)) / total,
    )


def shift_of(pairs: list[Pair], last: Vector) -> Vector:
    """The hypothesis of most votes, then four steps of mean shift; the last shift has votes too."""
    if not pairs:
        return 0.5 * last[0], 0.5 * last[1]
    height = sum(pair.weight * pair.height for pair in pairs) / sum(pair.weight for pair in pairs)
    width = PULL_WIDTH * height

    def pull(x: float, y: float) -> float:
        return PULL * math.exp(-0.5 * ((x - last[0]) ** 2 + (y - last[1]) ** 2) / width**2)

    def votes(at: Vector) -> float:
        return sum(pair.vote(*at) for pair in pairs) + pull(*at)

    best = max([*((pair.dx, pair.dy) for pair in pairs), last], key=votes)
    for _ in range(4):
        weight = [pair.vote(*best) / (KERNEL * pair.height) ** 2 for pair in pairs]
        keep = pull(*best) / width**2
        total = sum(weight) + keep
        best = (
            (sum(w * pair.dx for w, pair in zip(weight, pairs, strict=True)) + keep * last[0]) / total,
            (sum(w * pair.dy for w, pair in zip(weight, pairs, strict=True)) + keep * last[1]) / total,
        )
    return best
