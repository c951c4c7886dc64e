"""Boxes as the graph sees them, and tracklets: runs of boxes with a line fitted at both ends."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from statistics import median

import numpy as np

from spam_model.values import Candidates
from tests.spam_model.graph.reference.camera import camera_path

HEAD, TAIL = 0, 1
SHORT, LONG = 0, 1
WINDOWS = (0.35, 1.5)  # s
RIDGE = 4e-4  # s²


@dataclass(frozen=True)
class Seen:
    """One candidate. ``geometry``: stabilised bottom centre (px), log height, log width."""

    row: int
    frame: int
    class_id: int
    score: float
    geometry: tuple[float, ...]
    border: float
    box: tuple[float, ...]
    embedding: np.ndarray


@dataclass(frozen=True)
class Clip:
    """What is the same for all boxes. ``scale``: ascending appearance distances of random pairs.

    ``followed``: where the box of a row was seen in another frame, and how surely.
    """

    seen: list[Seen]
    rate: float
    image_height: int
    frames: int
    scale: list[float]
    usual_aspect: dict[int, float]  # of each class: log height over width
    followed: dict[int, dict[int, tuple[tuple[float, ...], float]]]

    def quantile(self, distance: float) -> float:
        return bisect_left(self.scale, distance) / len(self.scale)  # those below it


@dataclass(frozen=True)
class End:
    """One end of a tracklet; position and velocity (per s) have one entry for each window."""

    seen: Seen
    position: list[list[float]]
    velocity: list[list[float]]
    score: float


@dataclass(frozen=True)
class Tracklet:
    boxes: list[Seen]
    ends: tuple[End, End]
    embedding: np.ndarray | None  # None without an appearance

    @property
    def first(self) -> int:
        return self.boxes[0].frame

    @property
    def last(self) -> int:
        return self.boxes[-1].frame

    @property
    def class_id(self) -> int:
        return self.boxes[0].class_id


def clip_of(candidates: Candidates) -> Clip:
    info, path = candidates.info, camera_path(candidates)
    seen = []
    for row in range(len(candidates)):
        x1, y1, x2, y2 = candidates.box[row].tolist()
        frame = int(candidates.frame[row])
        geometry = (
            (x1 + x2) / 2 - path[frame][0],
            y2 - path[frame][1],
            math.log(y2 - y1),
            math.log(x2 - x1),
        )
        border = min(x1, info.width - x2, info.height - y2) / (y2 - y1)
        score, class_id = float(candidates.score[row]), int(candidates.class_id[row])
        seen.append(Seen(row, frame, class_id, score, geometry, border, (x1, y1, x2, y2), candidates.embedding[row]))
    scale, usual = random_distances(seen), usual_aspects(seen)
    return Clip(seen, info.frame_rate, info.height, info.frame_count, scale, usual, followed_boxes(candidates))


def followed_boxes(candidates: Candidates) -> dict[int, dict[int, tuple[tuple[float, ...], float]]]:
    row_of = {int(id): row for row, id in enumerate(candidates.id)}
    result: dict[int, dict[int, tuple[tuple[float, ...], float]]] = {}
    if (motion := candidates.motion) is not None:
        for k in range(len(motion)):
            followed = result.setdefault(row_of[int(motion.id[k])], {})
            followed[int(motion.frame[k])] = (tuple(motion.box[k].tolist()), float(motion.visibility[k]))
    return result


def usual_aspects(seen: list[Seen]) -> dict[int, float]:
    """The median over the boxes of a class that score at least the median score."""
    result = {}
    for class_id in {one.class_id for one in seen}:
        members = [one for one in seen if one.class_id == class_id]
        middle = median(one.score for one in members)
        result[class_id] = median(one.geometry[2] - one.geometry[3] for one in members if one.score >= middle)
    return result


def random_distances(seen: list[Seen]) -> list[float]:
    """1 − cosine of 4000 random pairs, those of one class and two frames; always the same pairs."""
    usable = [one for one in seen if len(one.embedding) and np.linalg.norm(one.embedding) > 0]
    if len(usable) < 2:
        return []
    distances = []
    for a, b in np.random.default_rng(0).integers(0, len(usable), (2, 4000)).T.tolist():
        one, other = usable[a], usable[b]
        if one.frame != other.frame and one.class_id == other.class_id:
            distances.append(1.0 - float(np.sum(one.embedding * other.embedding)))
    return sorted(distances)


def tracklet_of(boxes: list[Seen], rate: float) -> Tracklet:
    """``boxes``: of one object, in time order, one a frame."""
    head, tail = (fit_end(boxes, end, rate) for end in (boxes[0], boxes[-1]))
    total = np.sum([one.embedding for one in boxes], axis=0)
    norm = float(np.linalg.norm(total))
    return Tracklet(boxes, (head, tail), total / norm if norm > 0 else None)


def fit_end(boxes: list[Seen], end: Seen, rate: float) -> End:
    """Lines x = p + v t through the boxes near ``end``, t = 0 there, weights score² + 0.001, by a ridge on v.

    v = (Σw Σwtx − Σwt Σwx) / (Σw Σwt² − (Σwt)² + λ (Σw)²), p = (Σwx − v Σwt) / Σw
    """
    position, velocity, score = [], [], 0.0
    for window in WINDOWS:
        near = [one for one in boxes if abs(one.frame - end.frame) / rate <= window]
        w = [one.score**2 + 1e-3 for one in near]
        t = [(one.frame - end.frame) / rate for one in near]
        sw = sum(w)
        swt = sum(a * b for a, b in zip(w, t, strict=True))
        swtt = sum(a * b * b for a, b in zip(w, t, strict=True))
        at, speed = [], []
        for channel in range(4):
            x = [one.geometry[channel] - end.geometry[channel] for one in near]
            swx = sum(a * b for a, b in zip(w, x, strict=True))
            swtx = sum(a * b * c for a, b, c in zip(w, t, x, strict=True))
            v = (sw * swtx - swt * swx) / (sw * swtt - swt**2 + RIDGE * sw**2)
            at.append(end.geometry[channel] + (swx - v * swt) / sw)
            speed.append(v)
        position.append(at)
        velocity.append(speed)
        if window == WINDOWS[SHORT]:
            score = sum(a * one.score for a, one in zip(w, near, strict=True)) / sw
    return End(end, position, velocity, score)
