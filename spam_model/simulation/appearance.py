"""Appearance embeddings of simulated boxes.

An object has a vector; a box shows it with a slow drift (pose, light) and noise of its own, and, where it is hidden in
part, mixed with the vector of who hides it.
"""

from __future__ import annotations

import numpy as np

from spam_model.simulation.config import SimulationConfig
from spam_model.simulation.noise import smooth_noise
from spam_model.simulation.proposals import Proposals
from spam_model.values.candidates import FloatArray

COMMON = 0.8  # what all boxes of a scene share
LIKENESS = 0.85  # of two people in the same clothes


def embed(proposals: Proposals, people: int, config: SimulationConfig, rng: np.random.Generator) -> FloatArray:
    """L2-normalised embeddings, [N, D] float32; the first ``people`` objects may share clothes and drift."""
    size = config.embedding_size
    objects = int(max(proposals.look.max(initial=-1) + 1, people))
    vector = _unit(rng.standard_normal((objects, size)))
    alike = np.flatnonzero(rng.random(people) < config.shared_clothes)
    model = rng.integers(0, max(people, 1), len(alike))
    vector[alike] = _unit(LIKENESS * vector[model] + (1 - LIKENESS) * vector[alike])
    common = COMMON * _unit(rng.standard_normal((1, size)))

    moves = people + config.clutter
    drift = smooth_noise(rng, moves * size, config.frame_count, config.frame_rate).reshape(moves, size, -1)
    seen = vector[proposals.look] + common  # [N, D]
    mixed = proposals.mixed_with >= 0
    weight = (0.6 * proposals.hidden * mixed)[:, None]
    seen = (1 - weight) * seen + weight * (vector[proposals.mixed_with] + common)
    slow = np.zeros_like(seen)
    lasting = proposals.look < moves
    slow[lasting] = drift[proposals.look[lasting], :, proposals.frame[lasting]]
    noise = 0.8 * slow + 0.6 * rng.standard_normal(seen.shape)
    length = config.embedding_noise * (0.7 + 0.8 * proposals.hidden[:, None]) / np.sqrt(size)
    return np.asarray(_unit(seen + length * noise), dtype=np.float32)


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-9))
