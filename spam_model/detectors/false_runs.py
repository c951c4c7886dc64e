"""Runs of false positives: the same wrong box over some time, on a person or somewhere in the scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import logit

from spam_model import geometry
from spam_model.values import Candidates, GroundTruth
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

SAME_IOU = 0.4  # of two boxes of a run
LONGEST_GAP = 0.25  # s without a box within a run
ON_PERSON_IOU = 0.2
INSIDE_PERSON = 0.7  # share of the box that lies within the person's
LONG_ENOUGH = 5  # boxes of a run whose wobble is measured


@dataclass(frozen=True)
class Runs:
    """R runs, and how the boxes of the longer ones wobble.

    Attributes:
        attributes: [R, 7], see ``FalsePositives.quantiles``.
        series, frame, rate: [W] run, frame and frame rate of a box of a longer run.
        wobble: [W, 5], see ``FalsePositives.wobble``.
    """

    attributes: FloatArray
    series: IntArray
    frame: IntArray
    rate: FloatArray
    wobble: FloatArray

    def __len__(self) -> int:
        return len(self.attributes)

    @classmethod
    def none(cls) -> Runs:
        whole = np.zeros(0, np.int64)
        return cls(np.zeros((0, 7)), whole, whole, np.zeros(0), np.zeros((0, 5)))

    def take(self, choice: BoolArray) -> Runs:
        """The runs of a mask [R], with their boxes."""
        boxes = choice[self.series]
        number = np.cumsum(choice) - 1
        series = number[self.series[boxes]]
        return Runs(self.attributes[choice], series, self.frame[boxes], self.rate[boxes], self.wobble[boxes])

    def plus(self, more: Runs) -> Runs:
        later = replace(more, series=more.series + len(self))
        return Runs(*(np.concatenate([getattr(self, name), getattr(later, name)]) for name in vars(self)))


def find_runs(candidates: Candidates, truth: GroundTruth, rows: IntArray) -> tuple[Runs, Runs]:
    """The false positives ``rows`` as runs on people and runs in the scene."""
    false = candidates.take(rows)
    run = _chained(false)
    on = _person_beneath(false, truth)  # [n] truth row, -1 for none
    share_on = np.bincount(run, weights=on >= 0) / np.maximum(np.bincount(run), 1)
    riding = share_on[run] > 0.5 if len(run) else np.zeros(0, bool)
    return _on_people(false, run, truth, on, riding & (on >= 0)), _in_scene(false, run, truth, ~riding)


def _chained(false: Candidates) -> IntArray:
    """The run of each box, [n]: matched by IoU to runs seen within the last quarter of a second."""
    run = np.full(len(false), -1, np.int64)
    last: dict[int, int] = {}  # run -> its latest row
    patience = max(1, round(LONGEST_GAP * false.info.frame_rate))
    count = 0
    for frame in np.unique(false.frame):
        now = np.flatnonzero(false.frame == frame)
        last = {key: row for key, row in last.items() if frame - false.frame[row] <= patience}
        before = np.fromiter(last, np.int64, len(last))
        overlap = geometry.iou_matrix(false.box[[last[key] for key in before]], false.box[now])
        for i, j in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[i, j] >= SAME_IOU:
                run[now[j]] = before[i]
        for row in now:
            if run[row] < 0:
                run[row], count = count, count + 1
            last[int(run[row])] = int(row)
    return run


def _person_beneath(false: Candidates, truth: GroundTruth) -> IntArray:
    """The truth row that a box overlaps most, or lies in; -1 for none. [n]."""
    on = np.full(len(false), -1, np.int64)
    for frame in np.unique(false.frame):
        now = np.flatnonzero(false.frame == frame)
        people = np.flatnonzero((truth.frame == frame) & ~truth.ignored)
        if len(people) == 0:
            continue
        iou = geometry.iou_matrix(false.box[now], truth.box[people])
        inside = geometry.intersection_matrix(false.box[now], truth.box[people])
        inside /= geometry.area(false.box[now])[:, None]
        closeness = np.where((iou >= ON_PERSON_IOU) | (inside >= INSIDE_PERSON), iou + 1e-6, 0.0)
        best = closeness.argmax(axis=1)
        on[now] = np.where(closeness.max(axis=1) > 0, people[best], -1)
    return on


def _on_people(false: Candidates, run: IntArray, truth: GroundTruth, on: IntArray, mine: BoolArray) -> Runs:
    rows = np.flatnonzero(mine)
    person, box = truth.box[on[rows]], false.box[rows]
    size, own = geometry.sizes(person), geometry.sizes(box)
    middle = (geometry.centres(box) - geometry.centres(person))[:, :1] / size[:, :1]
    bottom = (box[:, 3:] - person[:, 3:]) / size[:, 1:]
    place = np.concatenate([middle, bottom, np.log(own / size)[:, ::-1]], axis=1)  # [n, 4]
    return _summary(false.take(rows), run[rows], place, place, detrend=False)


def _in_scene(false: Candidates, run: IntArray, truth: GroundTruth, mine: BoolArray) -> Runs:
    rows = np.flatnonzero(mine)
    box = false.box[rows]
    size = geometry.sizes(box)
    usual = np.median(geometry.sizes(truth.box)[:, 1]) if len(truth) else false.info.height / 4
    shape = np.stack([np.log(size[:, 1] / usual), np.log(size[:, 0] / size[:, 1])], axis=1)
    place = np.concatenate([shape, np.zeros((len(rows), 2))], axis=1)
    known, number = np.unique(run[rows], return_inverse=True)
    tall = (np.bincount(number, size[:, 1], len(known)) / np.bincount(number, minlength=len(known)))[number]
    path = np.concatenate([geometry.bottom_centres(box) / tall[:, None], np.log(size)[:, ::-1]], axis=1)
    return _summary(false.take(rows), run[rows], place, path, detrend=True)


def _summary(false: Candidates, run: IntArray, place: FloatArray, path: FloatArray, detrend: bool) -> Runs:
    """Args: place, path: [n, 4] whose mean describes a run, and whose deviation is its wobble."""
    rate = false.info.frame_rate
    score = logit(np.clip(false.score, 1e-3, 1 - 1e-3))
    known, run = np.unique(run, return_inverse=True)
    attributes, wobble, kept = [], [], []
    for number in range(len(known)):
        rows = np.flatnonzero(run == number)
        seconds = (false.frame[rows[-1]] - false.frame[rows[0]] + 1) / rate
        attributes.append([np.log(seconds), score[rows].mean(), score[rows].std(), *place[rows].mean(axis=0)])
        if len(rows) >= LONG_ENOUGH:
            level = score[rows, None] / max(score[rows].std(), 1e-6)
            values = np.concatenate([level, path[rows]], axis=1)
            time = false.frame[rows] - false.frame[rows].mean()
            slope = (time @ values / (time @ time)) * np.array([0, detrend, detrend, detrend, detrend])
            wobble.append(values - values.mean(axis=0) - time[:, None] * slope)
            kept.append(rows)
    rows = np.concatenate([np.zeros(0, np.int64), *kept])
    return Runs(
        attributes=np.array(attributes).reshape(-1, 7),
        series=run[rows],
        frame=false.frame[rows],
        rate=np.full(len(rows), rate),
        wobble=np.concatenate([np.zeros((0, 5)), *wobble]),
    )
