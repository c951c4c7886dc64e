"""A pinhole camera over a ground plane. World: X right, Y up, Z ahead, in m; the ground is Y = 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.values.candidates import FloatArray

NEAR = 0.5  # m, nothing nearer is projected


@dataclass(frozen=True)
class Camera:
    """``rotation`` [3, 3] holds the camera's right, up and forward axes as rows; ``focal``, width and height in px."""

    position: FloatArray  # [3]
    rotation: FloatArray
    focal: float
    width: int
    height: int

    @property
    def right(self) -> FloatArray:
        return np.asarray(self.rotation[0])

    @property
    def up(self) -> FloatArray:
        return np.asarray(self.rotation[1])

    def depth(self, point: FloatArray) -> FloatArray:
        """[..., 3] -> [...], m ahead of the camera."""
        return np.asarray((point - self.position) @ self.rotation[2])

    def project(self, point: FloatArray) -> FloatArray:
        """[..., 3] -> [..., 2] px."""
        seen = (point - self.position) @ self.rotation.T
        scale = self.focal / np.maximum(seen[..., 2], NEAR)
        return np.stack([self.width / 2 + seen[..., 0] * scale, self.height / 2 - seen[..., 1] * scale], axis=-1)

    def plane(self, origin: FloatArray, along: FloatArray, down: FloatArray) -> FloatArray:
        """Homography [3, 3] from a plane's coordinates (a, b) at ``origin + a · along + b · down`` to px."""
        intrinsic = np.array([[self.focal, 0, self.width / 2], [0, -self.focal, self.height / 2], [0, 0, 1]])
        world = np.stack([along, down, origin - self.position], axis=1)  # [3, 3]
        return np.asarray(intrinsic @ self.rotation @ world)


def camera_path(frames: int, frame_rate: float, width: int, height: int, rng: np.random.Generator) -> list[Camera]:
    """A camera at 3 m that sways slowly: a pan of ±2.5°, a few decimetres sideways."""
    time = np.arange(frames) / frame_rate
    start = rng.uniform(0, 2 * np.pi, 4)
    yaw = np.radians(2.5) * np.sin(2 * np.pi * time / 19 + start[0])
    pitch = np.radians(8.5) + np.radians(0.25) * np.sin(2 * np.pi * time / 11 + start[1])
    x = 0.5 * np.sin(2 * np.pi * time / 26 + start[2])
    y = 3.0 + 0.05 * np.sin(2 * np.pi * time / 13 + start[3])
    return [
        Camera(np.array([x[i], y[i], 0.0]), _rotation(yaw[i], pitch[i]), 0.86 * width, width, height)
        for i in range(frames)
    ]


def _rotation(yaw: float, pitch: float) -> FloatArray:
    """Axes of a camera turned ``yaw`` to the right, then ``pitch`` down."""
    forward = np.array([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    return np.stack([right, np.cross(forward, right), forward])
