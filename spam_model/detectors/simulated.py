"""A simulated detector: ground truth seen through the faults of a real one, for demos and tests without weights.

It gives what a network gives at a low threshold, an over-complete set. Scores follow visibility and drift over time, so
that misses come in runs and where people cross; box errors drift too (auto-regressive over 0.4 s, as measured on real
detectors); beside people there are duplicates on parts of them, clutter that stays at its place, and short-lived false
positives. Nothing made with it says anything about real detectors: it is called "simulated" wherever it is named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spam_model.detectors.base import candidate_ids
from spam_model.detectors.nms import non_maximum_suppression
from spam_model.geometry import area, centres, from_centres, intersection_matrix, sizes
from spam_model.simulation.noise import smooth_noise
from spam_model.values import Candidates, GroundTruth
from spam_model.values.candidates import FloatArray, IntArray


@dataclass(frozen=True)
class SimulatedFaults:
    """How bad the simulated detector is. Times in s, box errors in shares of the box height.

    Attributes:
        base_logit: logit of the score of a fully visible person.
        occlusion_drop: how much of that logit is lost as visibility goes from 1 to 0, at first slowly.
        score_noise, score_memory: standard deviation of the drift of the logit, and how long it lasts.
        jitter: standard deviation of the box error from frame to frame.
        drift, drift_memory: standard deviation of the slow box error fully visible (twice that when hidden).
        duplicate_rate: boxes on a part of a person, per person and frame.
        clutter: false positives that stay where they are.
        transient_rate: short-lived false positives, begun per frame.
    """

    base_logit: float = 2.2
    occlusion_drop: float = 5.0
    score_noise: float = 0.6
    score_memory: float = 0.6
    jitter: float = 0.005
    drift: float = 0.014
    drift_memory: float = 0.4
    duplicate_rate: float = 0.25
    clutter: int = 3
    transient_rate: float = 0.4
    max_iou: float = 0.7


@dataclass(frozen=True)
class _Boxes:
    """frame [N], box [N, 4] px, score [N], class_id [N]."""

    frame: IntArray
    box: FloatArray
    score: FloatArray
    class_id: IntArray


def simulate_detections(
    truth: GroundTruth, *, seed: int = 0, min_score: float = 0.1, faults: SimulatedFaults | None = None
) -> Candidates:
    """Candidates without embeddings, the same for the same truth and seed."""
    faults = faults or SimulatedFaults()
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(~truth.ignored)
    truth = replace(
        truth,
        track=truth.track[rows],
        frame=truth.frame[rows],
        box=truth.box[rows],
        class_id=truth.class_id[rows],
        visibility=_visibility(truth)[rows],
        ignored=truth.ignored[rows],
    )
    people = _people(truth, faults, rng)
    parts = [people, _duplicates(people, faults, rng)]
    if len(truth):
        parts += [_clutter(truth, faults, rng), _transients(truth, faults, rng)]
    frame = np.concatenate([part.frame for part in parts])
    box = np.concatenate([part.box for part in parts])
    score = np.concatenate([part.score for part in parts])
    class_id = np.concatenate([part.class_id for part in parts])

    seen = np.flatnonzero(score >= min_score)
    order = seen[np.lexsort((-score[seen], frame[seen]))]
    per_frame = np.split(order, np.flatnonzero(np.diff(frame[order])) + 1)
    rows = np.concatenate(
        [part[non_maximum_suppression(box[part], score[part], class_id[part], faults.max_iou)] for part in per_frame]
    )
    return Candidates.build(
        truth.info, frame[rows], box[rows], score[rows], class_id=class_id[rows], id=candidate_ids(frame[rows])
    )


def _visibility(truth: GroundTruth) -> FloatArray:
    """What is annotated, or less where a box nearer to the camera (lower in the image) lies over it. [M]."""
    visibility = truth.visibility.copy()
    for frame in np.unique(truth.frame):
        rows = np.flatnonzero(truth.frame == frame)
        box = truth.box[rows]
        nearer = box[None, :, 3] > box[:, None, 3]  # [n, n]
        hidden = np.where(nearer, intersection_matrix(box, box), 0.0).max(axis=1) / area(box)
        visibility[rows] = np.minimum(visibility[rows], 1 - hidden)
    return visibility


def _people(truth: GroundTruth, faults: SimulatedFaults, rng: np.random.Generator) -> _Boxes:
    rate, count = truth.info.frame_rate, truth.info.frame_count
    box, score = truth.box.copy(), np.zeros(len(truth))
    for track in np.unique(truth.track):
        rows = np.flatnonzero(truth.track == track)
        when = truth.frame[rows]
        hidden = 1 - truth.visibility[rows]
        height = sizes(truth.box[rows])[:, 1:]
        logit = faults.base_logit - faults.occlusion_drop * hidden**2
        logit += faults.score_noise * smooth_noise(rng, 1, count, faults.score_memory * rate)[0, when]
        score[rows] = _sigmoid(logit + 0.3 * rng.standard_normal(len(rows)))
        slow = faults.drift * smooth_noise(rng, 4, count, faults.drift_memory * rate)[:, when].T
        error = slow * (1 + hidden[:, None]) + faults.jitter * rng.standard_normal((len(rows), 4))
        centre = centres(truth.box[rows]) + error[:, :2] * height
        size = sizes(truth.box[rows]) * np.exp(error[:, 2:])
        box[rows] = from_centres(centre, size)
    return _Boxes(truth.frame, box, score, truth.class_id)


def _duplicates(people: _Boxes, faults: SimulatedFaults, rng: np.random.Generator) -> _Boxes:
    """Boxes on the upper or lower part of a person, or on the person and what stands beside."""
    rows = np.flatnonzero(rng.random(len(people.frame)) < faults.duplicate_rate)
    size = sizes(people.box[rows])
    share = rng.uniform([0.7, 0.45], [1.3, 0.75], (len(rows), 2))
    shift = rng.uniform(-0.25, 0.25, (len(rows), 2)) * size
    box = from_centres(centres(people.box[rows]) + shift, size * share)
    score = people.score[rows] * rng.beta(2.0, 4.0, len(rows))
    return _Boxes(people.frame[rows], box, score, people.class_id[rows])


def _clutter(truth: GroundTruth, faults: SimulatedFaults, rng: np.random.Generator) -> _Boxes:
    info, count = truth.info, faults.clutter
    place = _somewhere(truth, count, rng)
    logit = rng.normal(-1.3, 0.5, (count, 1)) + smooth_noise(rng, count, info.frame_count, info.frame_rate)
    wobble = 0.01 * smooth_noise(rng, count * 4, info.frame_count, faults.drift_memory * info.frame_rate)
    scale = sizes(place).mean(axis=1)[:, None, None]
    box = place[:, None] + wobble.reshape(count, 4, info.frame_count).transpose(0, 2, 1) * scale  # [C, F, 4]
    frame = np.tile(np.arange(info.frame_count), count)
    class_id = np.repeat(rng.choice(truth.class_id, count), info.frame_count)
    return _Boxes(frame, box.reshape(-1, 4), _sigmoid(logit.reshape(-1)), class_id)


def _transients(truth: GroundTruth, faults: SimulatedFaults, rng: np.random.Generator) -> _Boxes:
    begun = np.repeat(np.arange(truth.info.frame_count), rng.poisson(faults.transient_rate, truth.info.frame_count))
    lasts = rng.geometric(0.6, len(begun))
    which = np.repeat(np.arange(len(begun)), lasts)
    frame = begun[which] + np.arange(len(which)) - np.repeat(np.cumsum(lasts) - lasts, lasts)
    place = _somewhere(truth, len(begun), rng)
    class_id = rng.choice(truth.class_id, len(begun))
    score = _sigmoid(rng.normal(-1.6, 0.5, len(which)))
    inside = frame < truth.info.frame_count
    return _Boxes(frame[inside], place[which][inside], score[inside], class_id[which][inside])


def _somewhere(truth: GroundTruth, count: int, rng: np.random.Generator) -> FloatArray:
    """Boxes of the size of people, [count, 4] px, anywhere across the image, at heights where people are."""
    like = truth.box[rng.integers(len(truth), size=count)]
    x = rng.uniform(0, truth.info.width, count)
    y = centres(like)[:, 1] + rng.normal(0, 0.1, count) * truth.info.height
    return from_centres(np.stack([x, y], axis=1), sizes(like) * rng.uniform(0.7, 1.1, (count, 1)))


def _sigmoid(logit: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-logit)))
