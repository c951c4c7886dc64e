"""Confidence-weighted local linear regression of each track's boxes over time (Cleveland, 1979; Gaussian kernel here).

Linear rather than constant, so that ends of tracks and steady walks are not pulled back.
"""

from __future__ import annotations

import numpy as np

from spam_model.values import Labels
from spam_model.values.candidates import FloatArray

REACH = 3.0  # kernel half-width in σ


def smooth(labels: Labels, values: FloatArray, sigma: float, weight: FloatArray) -> FloatArray:
    """Smoothed values at each row, from rows of the same track only.

    Args:
        values: [M, C]; sigma: seconds; weight: [M], confidence, > 0.
    """
    time = labels.frame / labels.info.frame_rate
    reach = int(np.ceil(REACH * sigma * labels.info.frame_rate))
    moment = np.zeros((3, len(labels)))  # Σw, Σw·t, Σw·t²
    product = np.zeros((2, *values.shape))  # Σw·v, Σw·t·v
    for offset in range(-min(reach, len(labels) - 1), min(reach, len(labels) - 1) + 1):
        here = np.arange(max(0, -offset), len(labels) - max(0, offset))
        there = here + offset
        here, there = (rows[labels.track[here] == labels.track[there]] for rows in (here, there))
        t = time[there] - time[here]
        w = weight[there] * np.exp(-0.5 * np.square(t / sigma))
        moment[:, here] += w * np.stack([np.ones_like(t), t, t**2])
        product[:, here] += w[:, None] * np.stack([np.ones_like(t), t])[..., None] * values[there]
    determinant = moment[0] * moment[2] - moment[1] ** 2
    mean = product[0] / moment[0][:, None]
    spread = determinant > 1e-6 * (moment[0] * sigma) ** 2  # else too few boxes for a slope
    safe = np.where(spread, determinant, 1.0)[:, None]
    line = (moment[2][:, None] * product[0] - moment[1][:, None] * product[1]) / safe
    return np.asarray(np.where(spread[:, None], line, mean))
