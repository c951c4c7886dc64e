"""Fits ``DetectorNoise`` to a detector's candidates on clips with ground truth. Times in s: frame rates may differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import numpy as np
from scipy.optimize import nnls
from scipy.special import ndtri
from scipy.stats import rankdata

from spam_model import geometry
from spam_model.detectors.detector_noise import (
    LEVELS,
    Conditional,
    DetectorNoise,
    FalsePositives,
    Memory,
    Row,
    Table,
    seen_shares,
)
from spam_model.detectors.false_runs import Runs, find_runs
from spam_model.errors import InputError
from spam_model.evaluation.matching import match_to_truth
from spam_model.values import Candidates, GroundTruth
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

LARGE = 0.25  # image heights
SEEN = np.array([0.0, 0.1, 0.35, 0.6, 0.85, 1.0])  # bins of the share that is seen
SCORES = np.array([0.0, 0.2, 0.5, 0.7, 0.85, 0.92, 1.0])
LONGEST_LAG = 2.0  # s
TIMES = np.geomspace(0.03, 1.5, 40)  # s, correlation times that are tried
LASTING = 0.3  # s, a run of false positives that is no flash
FEWEST = 40  # rows of a bin, else it is left out


@dataclass(frozen=True)
class _People:
    """All people of all clips, [M]: ``series`` is the number of the track, ``score`` 0 and ``error`` NaN for a miss."""

    series: IntArray
    frame: IntArray
    rate: FloatArray
    large: BoolArray
    seen: FloatArray
    score: FloatArray
    error: FloatArray  # [M, 4]

    def plus(self, more: _People) -> _People:
        later = replace(more, series=more.series + self.series.max(initial=-1) + 1)
        return _People(*(np.concatenate([getattr(self, name), getattr(later, name)]) for name in vars(self)))


def fit_noise(clips: Sequence[tuple[Candidates, GroundTruth]], source: str = "") -> DetectorNoise:
    """The statistics of these candidates, given what is true.

    Args:
        source: says in the result what it was fitted on.

    Raises:
        InputError: fewer than 40 people were found, or no box is false: too little to fit.
        ValueError: no clip is given.
    """
    of_clips: list[_People] = []
    on_people, in_scene = Runs.none(), Runs.none()
    person_seconds, scene_seconds = 0.0, 0.0
    for candidates, truth in clips:
        identity, truth_row = match_to_truth(candidates, truth)
        of_clips.append(_people(candidates, truth, truth_row))
        person, scene = find_runs(candidates, truth, np.flatnonzero(identity == -1))
        on_people, in_scene = on_people.plus(person), in_scene.plus(scene)
        person_seconds += (~truth.ignored).sum() / truth.info.frame_rate
        scene_seconds += truth.info.frame_count / truth.info.frame_rate
    if not of_clips:
        raise ValueError("no clip to fit on")
    people = reduce(_People.plus, of_clips)
    found = np.flatnonzero(people.score > 0)
    if len(found) < FEWEST or len(on_people) < 2 or len(in_scene) < 2:
        raise InputError("too few people or false positives to fit a detector's noise; give longer clips")

    normal = np.empty(len(people.seen))
    for rows in (np.flatnonzero(people.large), np.flatnonzero(~people.large)):
        normal[rows] = _within_bins(people.score[rows], np.digitize(people.seen[rows], SEEN[1:-1]))
    at_score = np.digitize(people.score[found], SCORES[1:-1])
    error = people.error[found]
    normal_error = np.stack([_within_bins(channel, at_score) for channel in error.T], axis=1)
    when = (people.series[found], people.frame[found], people.rate[found])
    x, y, height, width = (_conditional(channel, people.score[found], SCORES) for channel in error.T)
    large = people.large if 0 < people.large.sum() < len(people.large) else np.ones(len(people.large), bool)
    small = large if large.all() else ~large
    return DetectorNoise(
        source=source,
        min_score=float(min(candidates.score.min() for candidates, _ in clips if len(candidates))),
        large=LARGE,
        small_scores=_conditional(people.score[small], people.seen[small], SEEN),
        large_scores=_conditional(people.score[large], people.seen[large], SEEN),
        score_memory=_memory(normal[:, None], people.series, people.frame, people.rate, order=2),
        errors=(x, y, height, width),
        error_memory=_memory(normal_error, *when, order=2),
        error_correlation=_table(np.asarray(np.corrcoef(normal_error.T))),
        on_people=_populations(on_people, person_seconds),
        in_scene=_populations(in_scene, scene_seconds),
        max_iou=max(_highest_overlap(candidates) for candidates, _ in clips),
    )


def _people(candidates: Candidates, truth: GroundTruth, truth_row: IntArray) -> _People:
    rows = np.flatnonzero(~truth.ignored)
    score, error = np.zeros(len(truth)), np.full((len(truth), 4), np.nan)
    found = np.flatnonzero(truth_row >= 0)
    hit = truth_row[found]
    score[hit] = candidates.score[found]
    true, seen = truth.box[hit], candidates.box[found]
    size = geometry.sizes(true)
    shift = (geometry.bottom_centres(seen) - geometry.bottom_centres(true)) / size[:, 1:]
    error[hit] = np.concatenate([shift, np.log(geometry.sizes(seen) / size)[:, ::-1]], axis=1)
    return _People(
        series=truth.track[rows],
        frame=truth.frame[rows],
        rate=np.full(len(rows), truth.info.frame_rate),
        large=geometry.sizes(truth.box[rows])[:, 1] >= LARGE * truth.info.height,
        seen=seen_shares(truth)[rows],
        score=score[rows],
        error=error[rows],
    )


def _conditional(value: FloatArray, given: FloatArray, edges: FloatArray) -> Conditional:
    bin_of = np.digitize(given, edges[1:-1])
    filled = [b for b in range(len(edges) - 1) if (bin_of == b).sum() >= FEWEST]
    if not filled:
        bin_of, filled = np.zeros(len(given), np.int64), [0]
    return Conditional(
        at=_row(np.array([given[bin_of == b].mean() for b in filled])),
        quantiles=_table(np.stack([np.quantile(value[bin_of == b], LEVELS) for b in filled])),
    )


def _within_bins(value: FloatArray, bin_of: IntArray) -> FloatArray:
    """Normal scores of the values among those of their bin, ties in the middle. [M], [M] -> [M]."""
    normal = np.zeros(len(value))
    for b in np.unique(bin_of):
        rows = np.flatnonzero(bin_of == b)
        normal[rows] = ndtri((rankdata(value[rows]) - 0.5) / len(rows))
    return normal


def _memory(normal: FloatArray, series: IntArray, frame: IntArray, rate: FloatArray, order: int) -> Memory:
    """Least squares of the correlation over lags up to 2 s: non-negative shares for each of the times tried.

    The correlation is 1 − γ with a robust variogram, γ = (median |z_{t+τ} − z_t| / 0.6745)² / 2: what most boxes do,
    not the few that jump.
    """
    if len(normal) < FEWEST:
        return Memory(order, float(TIMES[0]), _row(np.zeros(normal.shape[1])), _row(np.zeros(normal.shape[1])))
    stride = int(frame.max()) + 2 * int(LONGEST_LAG * rate.max()) + 2
    key = series * stride + frame
    lags, together, weight = [], [], []
    by_key = np.argsort(key)
    for lag in range(1, int(LONGEST_LAG * rate.max()) + 1):
        position = np.minimum(np.searchsorted(key[by_key], key + lag), len(key) - 1)
        then = by_key[position]
        pair = np.flatnonzero((key[then] == key + lag) & (lag <= LONGEST_LAG * rate))
        for one in np.unique(rate[pair]):
            now = pair[rate[pair] == one]
            lags.append(lag / one)
            step = np.median(np.abs(normal[then[now]] - normal[now]), axis=0) / 0.6745
            together.append(1 - np.square(step) / 2)
            weight.append(np.sqrt(len(now)) / lag)  # the nearest lags say what jitters
    scale, root = np.array(together), np.array(weight)
    fits = []
    for seconds in TIMES:
        x = np.array(lags) / seconds
        columns = np.stack([np.ones(len(x)), np.exp(-x) * (1 + x if order == 2 else 1)], axis=1) * root[:, None]
        solved = [nnls(columns, channel * root) for channel in scale.T]
        fits.append((sum(residual**2 for _, residual in solved), seconds, np.stack([share for share, _ in solved])))
    _, seconds, share = min(fits, key=lambda fit: fit[0])
    share = share / np.maximum(share.sum(axis=1, keepdims=True), 1.0)  # [C, 2]
    return Memory(order, float(seconds), _row(share[:, 0]), _row(share[:, 1]))


def _populations(runs: Runs, exposure: float) -> tuple[FalsePositives, ...]:
    """Flashes and lasting ones apart, since they differ in all else too."""
    lasting = runs.attributes[:, 0] >= np.log(LASTING)
    parts = (runs.take(choice) for choice in (~lasting, lasting))
    return tuple(_false_positives(part, exposure) for part in parts if len(part) > 1)


def _false_positives(runs: Runs, exposure: float) -> FalsePositives:
    normal = np.stack([ndtri((rankdata(column) - 0.5) / len(runs)) for column in runs.attributes.T], axis=1)
    varies = normal.std(axis=0) > 1e-9
    wobble = np.zeros(runs.wobble.shape[1])
    if len(runs.wobble):
        wobble = np.median(np.abs(runs.wobble), axis=0) / 0.6745
    correlation = np.eye(normal.shape[1])
    correlation[np.ix_(varies, varies)] = np.corrcoef(normal[:, varies].T)
    return FalsePositives(
        rate=len(runs) / exposure,
        quantiles=_table(np.quantile(runs.attributes, LEVELS, axis=0).T),
        correlation=_table(correlation),
        wobble=_row(wobble),
        memory=_memory(runs.wobble / np.maximum(wobble, 1e-6), runs.series, runs.frame, runs.rate, order=1),
    )


def _highest_overlap(candidates: Candidates) -> float:
    highest = 0.0
    bounds = np.searchsorted(candidates.frame, np.arange(candidates.info.frame_count + 1))
    for first, last in pairwise(bounds):
        box = candidates.box[first:last]
        highest = max(highest, float(np.triu(geometry.iou_matrix(box, box), 1).max(initial=0.0)))
    return highest


def _row(values: FloatArray) -> Row:
    return tuple(round(float(value), 5) for value in values)


def _table(values: FloatArray) -> Table:
    return tuple(_row(row) for row in values)
