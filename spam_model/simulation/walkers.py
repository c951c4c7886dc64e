"""How people move on the ground: flows, groups, stops, turns, entering from the sides, dancing on the spot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.simulation.camera import Camera
from spam_model.simulation.config import SimulationConfig
from spam_model.simulation.noise import smooth_noise
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

STAY = 12.0  # s that a person is in view, roughly; sets how many enter


@dataclass(frozen=True)
class Walkers:
    """``ground`` [P, F, 2] m, ``height`` [P, F] m, ``aspect`` [P, F]; nobody is there before ``start`` [P]."""

    ground: FloatArray
    height: FloatArray
    aspect: FloatArray
    start: IntArray


def walk(config: SimulationConfig, camera: Camera, rng: np.random.Generator) -> Walkers:
    """Walkers for a whole clip: those in view at frame 0, and those who enter later."""
    frames, rate = config.frame_count, config.frame_rate
    at_start = max(1, int(rng.poisson(config.people)))
    entering = int(rng.poisson(config.people * (1 - config.dance) * frames / rate / STAY))
    count = at_start + entering
    start = np.where(np.arange(count) < at_start, 0, rng.integers(0, frames, count))
    local = _places(camera, rng, count, side=np.arange(count) >= at_start)
    heading = _headings(config, rng, local, inward=np.arange(count) >= at_start)
    speed = config.walk_speed * np.exp(rng.normal(0, 0.2, count)) * (1 - config.dance)
    leader, company = _groups(config, rng, start)
    path = _paths(config, rng, camera.to_world(local, start), heading, speed, start)
    ground = path[leader] + company
    energy = config.dance * np.exp(0.8 * smooth_noise(rng, count, frames, 2.0 * rate, order=2) - 0.5)  # comes in bursts
    ground += 0.6 * energy[..., None] * _wander(rng, count, frames, 0.5 * rate)
    stature = rng.normal(1.7, 0.1, count)[:, None]
    step = 2 * np.pi * (rng.uniform(0.8, 1.1, count)[:, None] * np.arange(frames) / rate + rng.random(count)[:, None])
    crouch = smooth_noise(rng, count, frames, 0.4 * rate, order=2)
    spread = smooth_noise(rng, count, frames, 0.35 * rate, order=2)
    turned = smooth_noise(rng, count, frames, 2.0 * rate, order=2)  # seen from the side or from ahead
    width = rng.normal(0.39, 0.035, count)[:, None] * np.exp(0.06 * np.sin(step) + 0.06 * turned)
    return Walkers(
        ground=ground,
        height=stature * np.exp(0.004 * np.sin(2 * step) - 0.15 * energy * np.abs(crouch)),
        aspect=width * np.exp(energy * (0.3 * np.abs(spread) + 0.2 * spread)),
        start=start[leader],
    )


def _places(camera: Camera, rng: np.random.Generator, count: int, side: BoolArray) -> FloatArray:
    """Right and ahead of the camera, [P, 2] m: anywhere in view, or at its sides."""
    nearest, farthest = camera.depth_range()
    ahead = nearest * (farthest / nearest) ** (rng.random(count) ** 0.7)
    edge = ahead * camera.config.width / (2 * camera.focal)
    across = rng.uniform(-0.95, 0.95, count)
    across = np.where(side, np.sign(across) * rng.uniform(1.0, 1.15, count), across)
    return np.stack([across * edge, ahead], axis=1)


def _headings(config: SimulationConfig, rng: np.random.Generator, local: FloatArray, inward: BoolArray) -> FloatArray:
    """[P] rad, 0 = away from the camera; along the scene's main direction or any, inward for who enters."""
    count = len(local)
    main = rng.uniform(0, 2 * np.pi) + np.pi * rng.integers(0, 2, count) + rng.normal(0, 0.25, count)
    heading = np.where(rng.random(count) < config.flow_share, main, rng.uniform(0, 2 * np.pi, count))
    outward = np.sin(heading) * local[:, 0] > 0
    return np.where(inward & outward, -heading, heading)


def _groups(config: SimulationConfig, rng: np.random.Generator, start: IntArray) -> tuple[IntArray, FloatArray]:
    """Whose path each walker follows [P], and its place beside that path [P, F, 2] m."""
    count, frames = len(start), config.frame_count
    leader = np.arange(count)
    follows = (rng.random(count) < config.group_share * (1 - config.dance)) & (leader > 0)
    chosen = (rng.random(count) * leader).astype(np.int64)
    leader = np.where(follows & ~follows[chosen], chosen, leader)
    angle = rng.uniform(0, 2 * np.pi, count)
    beside = rng.uniform(0.5, 1.1, count)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    company = beside[:, None, :] + 0.12 * _wander(rng, count, frames, 3.0 * config.frame_rate)
    company[leader == np.arange(count)] = 0.0
    return leader, company


def _paths(
    config: SimulationConfig,
    rng: np.random.Generator,
    place: FloatArray,
    heading: FloatArray,
    speed: FloatArray,
    start: IntArray,
) -> FloatArray:
    """[P, F, 2] m, at ``place`` in frame ``start``."""
    count, frames, rate = len(place), config.frame_count, config.frame_rate
    turn = config.turn * smooth_noise(rng, count, frames, 3.0 * rate, order=2)
    corner = rng.random((count, frames)) < 0.03 / rate  # now and then someone turns off
    turn += np.cumsum(corner * rng.normal(0, 1.2, (count, frames)), axis=1)
    turn -= np.take_along_axis(turn, start[:, None], axis=1)
    urge = smooth_noise(rng, count, frames, 2.5 * rate, order=2)
    threshold = np.quantile(urge, config.stop_share)
    pace = 1 / (1 + np.exp(-12 * (urge - threshold)))
    angle = heading[:, None] + turn
    velocity = (speed[:, None] * pace)[..., None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    path = np.cumsum(velocity / rate, axis=1)
    return np.asarray(path - path[np.arange(count), start][:, None, :] + place[:, None, :])


def _wander(rng: np.random.Generator, count: int, frames: int, correlation: float) -> FloatArray:
    return smooth_noise(rng, 2 * count, frames, correlation, order=2).reshape(count, 2, frames).transpose(0, 2, 1)
