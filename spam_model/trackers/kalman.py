"""The Kalman filter of DeepSORT (Wojke et al., ICIP 2017), which JDE, FairMOT and TDT took over, for n boxes at once.

State: middle x, y, aspect w/h, height h, and their velocities per frame. Noise is proportional to the height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.geometry import centres, sizes
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

POSITION_NOISE, VELOCITY_NOISE = 1 / 20, 1 / 160  # heights
ASPECT_NOISE, ASPECT_DRIFT, ASPECT_ERROR = 1e-2, 1e-5, 1e-1
GATE = 9.4877  # 95 % of χ² with 4 degrees of freedom
_MOVE = np.eye(8) + np.eye(8, k=4)


@dataclass(frozen=True)
class KalmanState:
    """mean [n, 8], covariance [n, 8, 8]."""

    mean: FloatArray
    covariance: FloatArray

    def __len__(self) -> int:
        return len(self.mean)

    def take(self, rows: IntArray | BoolArray) -> KalmanState:
        return KalmanState(self.mean[rows], self.covariance[rows])

    @property
    def box(self) -> FloatArray:
        """[n, 4] x1 y1 x2 y2 px."""
        height = np.maximum(self.mean[:, 3], 1e-3)
        half = np.stack([np.maximum(self.mean[:, 2], 1e-3) * height, height], axis=1) / 2
        return np.concatenate([self.mean[:, :2] - half, self.mean[:, :2] + half], axis=1)


def measured(box: FloatArray) -> FloatArray:
    """x, y, w/h, h of boxes, [n, 4]."""
    width, height = sizes(box).T
    return np.concatenate([centres(box), np.stack([width / height, height], axis=1)], axis=1)


def initiate(box: FloatArray) -> KalmanState:
    """Objects seen for the first time, standing still."""
    mean = np.concatenate([measured(box), np.zeros((len(box), 4))], axis=1)
    height = mean[:, 3:4]
    spread = np.concatenate(
        [
            height * 2 * POSITION_NOISE,
            height * 2 * POSITION_NOISE,
            np.full_like(height, ASPECT_NOISE),
            height * 2 * POSITION_NOISE,
            height * 10 * VELOCITY_NOISE,
            height * 10 * VELOCITY_NOISE,
            np.full_like(height, ASPECT_DRIFT),
            height * 10 * VELOCITY_NOISE,
        ],
        axis=1,
    )
    return KalmanState(mean, _diagonal(spread))


def predict(state: KalmanState) -> KalmanState:
    """One frame later."""
    height = state.mean[:, 3:4]
    spread = np.concatenate(
        [
            height * POSITION_NOISE,
            height * POSITION_NOISE,
            np.full_like(height, ASPECT_NOISE),
            height * POSITION_NOISE,
            height * VELOCITY_NOISE,
            height * VELOCITY_NOISE,
            np.full_like(height, ASPECT_DRIFT),
            height * VELOCITY_NOISE,
        ],
        axis=1,
    )
    return KalmanState(state.mean @ _MOVE.T, _MOVE @ state.covariance @ _MOVE.T + _diagonal(spread))


def update(state: KalmanState, box: FloatArray) -> KalmanState:
    """Objects seen at ``box`` [n, 4], row by row."""
    mean, covariance = _projected(state)
    gain = np.linalg.solve(covariance, state.covariance[:, :4]).transpose(0, 2, 1)  # [n, 8, 4]
    error = measured(box) - mean
    return KalmanState(
        state.mean + (gain @ error[:, :, None])[..., 0],
        state.covariance - gain @ covariance @ gain.transpose(0, 2, 1),
    )


def squared_distance(state: KalmanState, box: FloatArray) -> FloatArray:
    """Squared Mahalanobis distance of boxes [m, 4] from predicted objects, [n, m]."""
    mean, covariance = _projected(state)
    error = measured(box)[None] - mean[:, None]  # [n, m, 4]
    solved = np.linalg.solve(covariance[:, None], error[..., None])[..., 0]
    return np.asarray((error * solved).sum(axis=2))


def _projected(state: KalmanState) -> tuple[FloatArray, FloatArray]:
    """What would be measured: mean [n, 4], covariance [n, 4, 4]."""
    height = state.mean[:, 3:4] * POSITION_NOISE
    spread = np.concatenate([height, height, np.full_like(height, ASPECT_ERROR), height], axis=1)
    return state.mean[:, :4], state.covariance[:, :4, :4] + _diagonal(spread)


def _diagonal(spread: FloatArray) -> FloatArray:
    """Standard deviations [n, k] -> covariances [n, k, k]."""
    return np.asarray(np.eye(spread.shape[1]) * np.square(spread)[:, None])
