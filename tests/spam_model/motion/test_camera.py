from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spam_model import geometry
from spam_model.motion import camera_path
from spam_model.simulation import SimulatedClip, SimulationConfig, simulate
from spam_model.values import Candidates
from tests.spam_model.builders import clip_info

CROWD = SimulationConfig(frame_count=120, people=14, flow_share=0.3, clutter=3, jitter=1.0)
INFO = clip_info(frame_count=40)


def steps(clip: SimulatedClip, path: np.ndarray) -> np.ndarray:
    """Displacements over height of true neighbours in time, the camera's path taken away. [K, 2]."""
    candidates = clip.candidates
    valid = np.flatnonzero(clip.identity >= 0)
    order = valid[np.lexsort((candidates.frame[valid], clip.identity[valid]))]
    first, second = order[:-1], order[1:]
    neighbours = (clip.identity[first] == clip.identity[second]) & (np.diff(candidates.frame[order]) == 1)
    first, second = first[neighbours], second[neighbours]
    middle = geometry.centres(candidates.box) - path[candidates.frame]
    return (middle[second] - middle[first]) / geometry.sizes(candidates.box[first])[:, 1:]


def crowd(shift: np.ndarray, people: int = 8, seed: int = 0) -> Candidates:
    """Standing people, seen by a camera that moves the image by ``shift`` [F, 2]."""
    rng = np.random.default_rng(seed)
    corner, height = rng.uniform(0, 400, (people, 2)), rng.uniform(60, 160, people)
    box = np.concatenate([corner, corner + np.stack([0.4 * height, height], axis=1)], axis=1)
    frame = np.repeat(np.arange(INFO.frame_count), people)
    moved = np.tile(box, (INFO.frame_count, 1)) + np.tile(shift, 2)[frame]
    return Candidates.build(INFO, frame, moved, np.full(len(frame), 0.9))


def test_the_path_of_a_standing_crowd_is_the_cameras() -> None:
    time = np.arange(INFO.frame_count)
    shift = np.stack([4.0 * time, 10 * np.sin(time / 4)], axis=1)
    assert np.allclose(camera_path(crowd(shift)), shift - shift[0], atol=1.5)


@pytest.mark.parametrize("seed", range(6))
def test_a_still_camera_has_no_path(seed: int) -> None:
    assert not camera_path(simulate(CROWD, seed).candidates).any()


@pytest.mark.parametrize("seed", range(6))
def test_a_shaking_camera_is_followed_on_simulated_clips(seed: int) -> None:
    clip = simulate(replace(CROWD, shake_px=0.02, pan=0.15), seed)
    path = camera_path(clip.candidates)
    error = np.diff(path - clip.camera_path, axis=0)
    assert np.abs(error).mean() < 0.3 * np.abs(np.diff(clip.camera_path, axis=0)).mean()
    left, best, raw = (np.median(np.abs(steps(clip, p))) for p in (path, clip.camera_path, np.zeros_like(path)))
    assert left < 1.05 * best < 0.9 * raw, "what is left is the people's own motion"


def test_false_positives_do_not_lead_it_astray() -> None:
    time = np.arange(INFO.frame_count)
    shift = np.stack([5.0 * time, np.zeros(INFO.frame_count)], axis=1)
    people = crowd(shift)
    rng = np.random.default_rng(1)
    frame = np.repeat(time, 12)
    corner, height = rng.uniform(0, 500, (len(frame), 2)), rng.uniform(60, 160, len(frame))
    noise = np.concatenate([corner, corner + np.stack([0.4 * height, height], axis=1)], axis=1)
    both = Candidates.build(
        INFO,
        np.concatenate([people.frame, frame]),
        np.concatenate([people.box, noise]),
        np.concatenate([people.score, np.full(len(frame), 0.3)]),
    )
    assert np.allclose(camera_path(both), shift, atol=5)


def test_one_walker_does_not_move_the_camera() -> None:
    time = np.arange(INFO.frame_count)
    assert not camera_path(crowd(np.stack([3.0 * time, 0.0 * time], axis=1), people=1)).any()


@pytest.mark.parametrize("keep", [np.zeros(0, int), np.array([0]), np.array([0, 5, 100, 300])])
def test_few_or_no_boxes_give_a_path_of_zeros(keep: np.ndarray) -> None:
    path = camera_path(crowd(np.zeros((INFO.frame_count, 2))).take(keep))
    assert path.shape == (INFO.frame_count, 2)
    assert not path.any()


def test_a_clip_of_one_frame_has_a_path() -> None:
    info = replace(INFO, frame_count=1)
    candidates = Candidates.build(info, np.zeros(1, int), np.array([[0.0, 0, 10, 20]]), np.ones(1))
    assert camera_path(candidates).tolist() == [[0, 0]]
