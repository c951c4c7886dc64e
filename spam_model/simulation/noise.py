"""Noise that is correlated in time."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from spam_model.values.candidates import FloatArray


def smooth_noise(rng: np.random.Generator, rows: int, frames: int, correlation: float, order: int = 1) -> FloatArray:
    """Stationary Gaussian noise of variance 1, [rows, frames], correlated over ``correlation`` frames.

    Order 1 is the auto-regressive process x_t = a x_{t−1} + √(1 − a²) ε_t with a = exp(−1 / correlation); order 2
    filters it once more, so that its path has no kinks.
    """
    a = float(np.exp(-1.0 / max(correlation, 1e-3)))
    start = int(np.ceil(6 * correlation)) + 1
    noise = rng.standard_normal((rows, frames + start))
    for _ in range(order):
        noise = lfilter([1.0], [1.0, -a], noise, axis=1)
    variance = 1 / (1 - a**2) if order == 1 else (1 + a**2) / (1 - a**2) ** 3
    return np.asarray(noise[:, start:] / np.sqrt(variance))
