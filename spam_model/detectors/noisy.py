"""Ground truth seen through a detector's fitted noise: over-complete candidates where only truth is at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from spam_model import geometry
from spam_model.detectors.base import candidate_ids
from spam_model.detectors.detector_noise import (
    LEVELS,
    Conditional,
    DetectorNoise,
    FalsePositives,
    Memory,
    read_noise,
    seen_shares,
)
from spam_model.detectors.nms import non_maximum_suppression
from spam_model.simulation.noise import smooth_noise
from spam_model.values import Candidates, GroundTruth
from spam_model.values.candidates import FloatArray, IntArray


@dataclass(frozen=True)
class _Boxes:
    """frame [N], box [N, 4] px, score [N]."""

    frame: IntArray
    box: FloatArray
    score: FloatArray


def noisy_candidates(
    truth: GroundTruth, noise: DetectorNoise | None = None, seed: int = 0, min_score: float = 0.1
) -> Candidates:
    """Candidates without embeddings, the same for the same truth, noise and seed.

    Args:
        truth: of one class; ignored boxes hide what is behind them, and are not detected.
        noise: by default the statistics that are shipped, of YOLOX-X on MOT17.
        min_score: candidates below this score, or below the lowest that the noise knows, are left out.
    """
    noise = read_noise() if noise is None else noise
    rng = np.random.default_rng(seed)
    people = np.flatnonzero(~truth.ignored)
    if len(people) == 0:
        return Candidates.build(truth.info, np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
    parts = [_people(truth, people, noise, rng)]
    parts += [_on_people(truth, people, population, rng) for population in noise.on_people]
    parts += [_in_scene(truth, people, population, rng) for population in noise.in_scene]
    frame, box, score = (np.concatenate([getattr(part, name) for part in parts]) for name in ("frame", "box", "score"))
    inside = geometry.area(geometry.clip_to_image(box, truth.info.width, truth.info.height)) > 0
    seen = np.flatnonzero((score >= max(min_score, noise.min_score)) & inside)
    order = seen[np.lexsort((-score[seen], frame[seen]))]
    per_frame = np.split(order, np.flatnonzero(np.diff(frame[order])) + 1)
    rows = np.concatenate(
        [
            part[non_maximum_suppression(box[part], score[part], np.zeros(len(part), np.int64), noise.max_iou)]
            for part in per_frame
        ]
    )
    return Candidates.build(truth.info, frame[rows], box[rows], score[rows], id=candidate_ids(frame[rows]))


def _people(truth: GroundTruth, people: IntArray, noise: DetectorNoise, rng: np.random.Generator) -> _Boxes:
    """Each person's own box; of score 0 where it is missed."""
    tracks, series = np.unique(truth.track[people], return_inverse=True)
    frame, true = truth.frame[people], truth.box[people]
    rate, frames = truth.info.frame_rate, truth.info.frame_count
    size = geometry.sizes(true)
    seen = seen_shares(truth)[people]
    normal = _remembered(noise.score_memory, len(tracks), frames, rate, rng)[0][series, frame]
    large = size[:, 1] >= noise.large * truth.info.height
    score = np.where(large, _value(noise.large_scores, seen, normal), _value(noise.small_scores, seen, normal))
    factor = np.linalg.cholesky(np.array(noise.error_correlation) + 1e-6 * np.eye(4))
    normals = _remembered(noise.error_memory, len(tracks), frames, rate, rng, factor)[:, series, frame]  # [4, m]
    error = np.stack([_value(table, score, z) for table, z in zip(noise.errors, normals, strict=True)], axis=1)
    own = size * np.exp(error[:, :1:-1])
    bottom = geometry.bottom_centres(true) + error[:, :2] * size[:, 1:]
    return _Boxes(frame, _from_bottom(bottom, own), score)


def _on_people(truth: GroundTruth, people: IntArray, noise: FalsePositives, rng: np.random.Generator) -> _Boxes:
    """Second boxes and boxes on parts: each run rides on one person for a while."""
    _, first, length = np.unique(truth.track[people], return_index=True, return_counts=True)
    count = rng.poisson(noise.rate * length / truth.info.frame_rate)
    rider = np.repeat(np.arange(len(first)), count)
    attributes = _runs(noise, len(rider), rng)
    run, age, wobble = _alive(noise, attributes, length[rider], truth.info.frame_rate, rng)
    begin = _begin(attributes, length[rider], truth.info.frame_rate, rng)
    row = people[first[rider[run]] + begin[run] + age]
    place = attributes[run, 3:] + wobble[:, 1:]
    size = geometry.sizes(truth.box[row])
    middle = geometry.centres(truth.box[row])[:, :1] + place[:, :1] * size[:, :1]
    bottom = truth.box[row, 3:] + place[:, 1:2] * size[:, 1:]
    box = _from_bottom(np.concatenate([middle, bottom], axis=1), size * np.exp(place[:, :1:-1]))
    return _Boxes(truth.frame[row], box, expit(attributes[run, 1] + attributes[run, 2] * wobble[:, 0]))


def _in_scene(truth: GroundTruth, people: IntArray, noise: FalsePositives, rng: np.random.Generator) -> _Boxes:
    """Clutter: each run stays where it is, at a height in the image where there are people, anywhere across."""
    info = truth.info
    attributes = _runs(noise, int(rng.poisson(noise.rate * info.frame_count / info.frame_rate)), rng)
    length = np.full(len(attributes), info.frame_count)
    run, age, wobble = _alive(noise, attributes, length, info.frame_rate, rng)
    begin = _begin(attributes, length, info.frame_rate, rng)
    usual = np.median(geometry.sizes(truth.box)[:, 1])
    tall = usual * np.exp(attributes[:, 3])
    size = np.stack([tall * np.exp(attributes[:, 4]), tall], axis=1)
    bottom = truth.box[rng.choice(people, len(attributes)), 3]
    place = np.stack([rng.uniform(0, info.width, len(attributes)), bottom], axis=1)
    own = size[run] * np.exp(wobble[:, :2:-1])
    box = _from_bottom(place[run] + wobble[:, 1:3] * tall[run, None], own)
    return _Boxes(begin[run] + age, box, expit(attributes[run, 1] + attributes[run, 2] * wobble[:, 0]))


def _runs(noise: FalsePositives, count: int, rng: np.random.Generator) -> FloatArray:
    """Attributes of ``count`` runs, [count, 7]."""
    width = len(noise.quantiles)
    factor = np.linalg.cholesky(np.array(noise.correlation) + 1e-6 * np.eye(width))
    level = ndtr(rng.standard_normal((count, width)) @ factor.T)
    return np.stack([np.interp(level[:, a], LEVELS, noise.quantiles[a]) for a in range(width)], axis=1)


def _frames(attributes: FloatArray, limit: IntArray, rate: float) -> IntArray:
    return np.clip(np.round(np.exp(attributes[:, 0]) * rate), 1, limit).astype(np.int64)


def _begin(attributes: FloatArray, limit: IntArray, rate: float, rng: np.random.Generator) -> IntArray:
    """Frame at which each run begins, so that it ends within ``limit`` frames. [R]."""
    return np.asarray(rng.integers(0, limit - _frames(attributes, limit, rate) + 1))


def _alive(
    noise: FalsePositives, attributes: FloatArray, limit: IntArray, rate: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray, FloatArray]:
    """Run [n], frames since its begin [n] and wobble [n, 5] of every box."""
    frames = _frames(attributes, limit, rate)
    run = np.repeat(np.arange(len(frames)), frames)
    age = np.arange(len(run)) - np.repeat(np.cumsum(frames) - frames, frames)
    normal = _remembered(noise.memory, len(frames), int(frames.max(initial=1)), rate, rng)  # [5, R, longest]
    wobble = normal[:, run, age]
    mean = np.stack([np.bincount(run, channel, len(frames)) for channel in wobble]) / frames
    return run, age, (wobble - mean[:, run]).T * np.array(noise.wobble)  # the attributes are means over a run


def _remembered(
    memory: Memory, rows: int, frames: int, rate: float, rng: np.random.Generator, factor: FloatArray | None = None
) -> FloatArray:
    """Normal scores that are correlated in time, and among channels by ``factor`` [C, C]. [C, rows, frames]."""
    channels = len(memory.lasting)
    lasting, slow = np.array(memory.lasting), np.array(memory.slow)
    parts = [
        (lasting, np.broadcast_to(rng.standard_normal((channels, rows, 1)), (channels, rows, frames))),
        (slow, _smooth(memory, channels * rows, frames, rate, rng).reshape(channels, rows, frames)),
        (np.maximum(1 - lasting - slow, 0.0), rng.standard_normal((channels, rows, frames))),
    ]
    mix = np.eye(channels) if factor is None else factor
    return np.asarray(sum(np.sqrt(share)[:, None, None] * np.tensordot(mix, part, 1) for share, part in parts))


def _smooth(memory: Memory, rows: int, frames: int, rate: float, rng: np.random.Generator) -> FloatArray:
    return smooth_noise(rng, rows, frames, memory.seconds * rate, memory.order)


def _value(table: Conditional, given: FloatArray, normal: FloatArray) -> FloatArray:
    """Quantiles at the normal scores, between the tables of the two nearest conditions. [m], [m] -> [m]."""
    level = ndtr(normal)
    values = np.stack([np.interp(level, LEVELS, row) for row in table.quantiles])  # [B, m]
    position = np.interp(given, table.at, np.arange(len(table.at)))
    low = np.minimum(position.astype(np.int64), max(len(table.at) - 2, 0))
    high = np.minimum(low + 1, len(table.at) - 1)
    share = position - low
    column = np.arange(len(given))
    return np.asarray((1 - share) * values[low, column] + share * values[high, column])


def _from_bottom(bottom: FloatArray, size: FloatArray) -> FloatArray:
    """Bottom centre [N, 2] and width, height [N, 2] -> [N, 4]."""
    return geometry.from_centres(bottom - np.array([0.0, 0.5]) * size, size)
