"""A pinhole camera over a ground plane: where it goes, and what it sees.

World coordinates are X to the right, Z ahead, on a plane; the camera stands ``camera_height`` above it, is pitched down
and turns about the vertical axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.simulation.config import SimulationConfig
from spam_model.simulation.noise import smooth_noise
from spam_model.values.candidates import FloatArray, IntArray

MIN_DEPTH = 0.5  # m; nearer points are not projected
PERSON = 1.7  # m


@dataclass(frozen=True)
class Camera:
    """Position on the ground [F, 2] in m, yaw [F] in rad, shake [F, 2] in px; focal length in px."""

    config: SimulationConfig
    position: FloatArray
    yaw: FloatArray
    shake: FloatArray
    focal: float

    @classmethod
    def sample(cls, config: SimulationConfig, rng: np.random.Generator) -> Camera:
        """A smooth path; it starts at the origin and looks along Z."""
        frames, rate = config.frame_count, config.frame_rate
        yaw = config.pan * smooth_noise(rng, 1, frames, 3.0 * rate, order=2)[0]
        yaw -= yaw[0]
        shake = config.shake_px * config.height * smooth_noise(rng, 2, frames, 0.25 * rate, order=2).T
        speed = config.camera_speed * (1 + 0.3 * smooth_noise(rng, 1, frames, 2.0 * rate)[0])
        step = speed[:, None] * np.stack([np.sin(yaw), np.cos(yaw)], axis=1) / rate
        position = np.cumsum(step, axis=0) - step[:1]
        return cls(config, position, yaw, shake - shake[:1], config.focal * config.width)

    @property
    def path(self) -> FloatArray:
        """Image shift of a far point ahead, [F, 2] px, 0 at frame 0."""
        return np.stack([-self.focal * np.tan(self.yaw) + self.shake[:, 0], self.shake[:, 1]], axis=1)

    def boxes(self, ground: FloatArray, height: FloatArray, aspect: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Boxes of upright objects.

        Args:
            ground: [P, F, 2], X and Z of their feet, m.
            height: [P, F], m.
            aspect: [P, F], width over height of the box.

        Returns:
            [P, F, 4] in px and the depth of the feet [P, F] in m; the box is NaN behind the camera.
        """
        config = self.config
        offset = ground - self.position  # [P, F, 2]
        sine, cosine = np.sin(self.yaw), np.cos(self.yaw)
        right = offset[..., 0] * cosine - offset[..., 1] * sine
        ahead = offset[..., 0] * sine + offset[..., 1] * cosine
        foot = self._row(ahead, 0.0)
        head = self._row(ahead, height)
        depth = ahead * np.cos(config.pitch) + config.camera_height * np.sin(config.pitch)
        depth = np.where(depth > MIN_DEPTH, depth, np.nan)
        x = config.width / 2 + self.focal * right / depth + self.shake[:, 0]
        half = aspect * (foot - head) / 2
        box = np.stack([x - half, head + self.shake[:, 1], x + half, foot + self.shake[:, 1]], axis=-1)
        return np.where(np.isnan(box).any(axis=-1, keepdims=True), np.nan, box), depth

    def _row(self, ahead: FloatArray, above: FloatArray | float) -> FloatArray:
        """Image row of a point ``above`` the ground, ``ahead`` of the camera."""
        below = self.config.camera_height - above
        sine, cosine = np.sin(self.config.pitch), np.cos(self.config.pitch)
        depth = below * sine + ahead * cosine
        depth = np.where(depth > MIN_DEPTH, depth, np.nan)
        return np.asarray(self.config.height / 2 + self.focal * (below * cosine - ahead * sine) / depth)

    def depth_range(self) -> tuple[float, float]:
        """Nearest and farthest distance ahead at which a person stands well in view, m."""
        config = self.config
        sine, cosine = np.sin(config.pitch), np.cos(config.pitch)

        def ahead_of_row(row: float) -> float:
            slope = (row - config.height / 2) / self.focal
            fall = slope * cosine + sine
            return config.camera_height * (cosine - slope * sine) / fall if fall > 1e-3 else np.inf

        def ahead_of_size(size: float) -> float:
            depth = self.focal * PERSON / (size * config.height)
            return float((depth - config.camera_height * sine) / cosine)

        nearest = max(ahead_of_row(1.1 * config.height), ahead_of_size(1.1), MIN_DEPTH)
        farthest = min(ahead_of_row(0.1 * config.height), ahead_of_size(config.smallest))
        return nearest, max(farthest, 1.5 * nearest)

    def size_of_person(self, ahead: float) -> float:
        """Height over image height of a person at that distance."""
        depth = ahead * np.cos(self.config.pitch) + self.config.camera_height * np.sin(self.config.pitch)
        return float(self.focal * PERSON / depth / self.config.height)

    def to_world(self, local: FloatArray, frame: IntArray) -> FloatArray:
        """Points [P, 2] (right, ahead) of the camera at ``frame`` [P] on the ground plane."""
        sine, cosine = np.sin(self.yaw[frame]), np.cos(self.yaw[frame])
        right, ahead = local[:, 0], local[:, 1]
        turned = np.stack([right * cosine + ahead * sine, -right * sine + ahead * cosine], axis=1)
        return np.asarray(turned + self.position[frame])
