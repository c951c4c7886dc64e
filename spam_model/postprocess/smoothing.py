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
    value = values.T.copy()  # [C, M]
    moment = np.zeros((3, len(labels)))  # Σw, Σw·t, Σw·t²
    product = np.zeros((2, *value.shape))  # Σw·v, Σw·t·v
    moment[0] = weight
    product[0] = weight * value
    for offset in range(1, min(reach, len(labels) - 1) + 1):
        sooner, later = slice(None, -offset), slice(offset, None)
        t = time[later] - time[sooner]
        kernel = np.exp(-0.5 * np.square(t / sigma)) * (labels.track[later] == labels.track[sooner])
        for here, there, step in ((sooner, later, t), (later, sooner, -t)):
            w = weight[there] * kernel
            moment[0, here] += w
            moment[1, here] += w * step
            moment[2, here] += w * np.square(t)
            product[0][:, here] += w * value[:, there]
            product[1][:, here] += (w * step) * value[:, there]
    determinant = moment[0] * moment[2] - moment[1] ** 2
    mean = product[0] / moment[0]
    spread = determinant > 1e-6 * (moment[0] * sigma) ** 2  # else too few boxes for a slope
    line = (moment[2] * product[0] - moment[1] * product[1]) / np.where(spread, determinant, 1.0)
    return np.asarray(np.where(spread, line, mean).T)
