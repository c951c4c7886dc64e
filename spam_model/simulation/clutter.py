"""False positives that are on nobody: things at fixed places that look like people for long, and flashes."""

from __future__ import annotations

import numpy as np

from spam_model.simulation.config import SimulationConfig
from spam_model.simulation.noise import smooth_noise
from spam_model.simulation.proposals import Proposals
from spam_model.values.candidates import FloatArray, IntArray


def persistent(box: FloatArray, first_look: int, config: SimulationConfig, rng: np.random.Generator) -> Proposals:
    """Detections of C things with boxes [C, F, 4]; thing i looks like object ``first_look`` + i."""
    count, frames = box.shape[:2]
    rate = config.frame_rate
    urge = smooth_noise(rng, count, frames, 2.0 * rate)
    there = (urge > rng.normal(0, 1.0, (count, 1))) & np.isfinite(box).all(axis=-1)
    logit = rng.uniform(-2.6, 1.5, (count, 1)) + 0.6 * smooth_noise(rng, count, frames, 0.5 * rate)
    thing, frame = np.nonzero(there)
    size = box[thing, frame, 2:] - box[thing, frame, :2]
    jitter = config.jitter * 0.006 * rng.standard_normal((len(frame), 4)) * np.tile(size[:, 1:], 4)
    return _false(frame, box[thing, frame] + jitter, logit[thing, frame], first_look + thing)


def transient(first_look: int, config: SimulationConfig, rng: np.random.Generator) -> Proposals:
    """Flashes of one to a few frames anywhere in the image, at low scores; flash i looks like ``first_look`` + i."""
    mean_life = 1.6
    count = int(rng.poisson(config.transient * config.frame_count / mean_life))
    life = rng.geometric(1 / mean_life, count)
    flash = np.repeat(np.arange(count), life)
    age = np.arange(len(flash)) - np.repeat(np.cumsum(life) - life, life)
    frame = np.repeat(rng.integers(0, config.frame_count, count), life) + age
    tall = np.exp(rng.uniform(np.log(0.6 * config.smallest), np.log(0.8), count)) * config.height
    size = np.stack([tall * np.exp(rng.normal(np.log(0.45), 0.3, count)), tall], axis=1)
    middle = rng.uniform(0, 1, (count, 2)) * (config.width, config.height)
    box = np.concatenate([middle - size / 2, middle + size / 2], axis=1)[flash]
    box += 0.02 * rng.standard_normal(box.shape) * tall[flash, None]
    logit = rng.normal(-1.5, 0.45, count)[flash] + rng.normal(0, 0.3, len(flash))
    inside = frame < config.frame_count
    return _false(frame[inside], box[inside], logit[inside], first_look + flash[inside])


def _false(frame: IntArray, box: FloatArray, logit: FloatArray, look: IntArray) -> Proposals:
    count = len(frame)
    return Proposals(
        frame=frame,
        box=box,
        logit=logit,
        owner=np.full(count, -1, np.int64),
        primary=np.zeros(count, bool),
        look=look,
        mixed_with=np.full(count, -1, np.int64),
        hidden=np.zeros(count),
    )
