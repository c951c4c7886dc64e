"""Clips of a given density and length, without pixels: what the graph is fed with where speed is measured."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from spam_model.simulation import SimulationConfig, simulate
from spam_model.values import Candidates

STREET = SimulationConfig(frame_count=250, people=34, width=1920, height=1080, camera_height=4.0, smallest=0.1)
CROWD = SimulationConfig(frame_count=125, people=165, width=1920, height=1080, camera_height=12.0, smallest=0.05)


@cache
def street(frames: int) -> Candidates:
    """About 45 candidates a frame, as in MOT17."""
    return repeated(_simulated(STREET), frames)


@cache
def crowd(frames: int) -> Candidates:
    """About 200 candidates a frame, as in MOT20."""
    return repeated(_simulated(CROWD), frames)


def dense() -> Candidates:
    """About 60 candidates a frame."""
    return _simulated(replace(STREET, people=50))


def repeated(clip: Candidates, frames: int) -> Candidates:
    """The clip forwards, backwards, forwards …, so that everybody walks on without a jump, for so many frames."""
    length = clip.info.frame_count
    times = -(-frames // length)
    frame = np.concatenate([k * length + (length - 1 - clip.frame if k % 2 else clip.frame) for k in range(times)])
    kept = frame < frames
    return Candidates.build(
        replace(clip.info, frame_count=frames),
        frame[kept],
        np.tile(clip.box, (times, 1))[kept],
        np.tile(clip.score, times)[kept],
    )


def per_frame(candidates: Candidates) -> int:
    return round(len(candidates) / candidates.info.frame_count)


@cache
def _simulated(config: SimulationConfig) -> Candidates:
    clip = simulate(config, seed=0).candidates
    return replace(clip, embedding=np.zeros((len(clip), 0), np.float32))
