from __future__ import annotations

import numpy as np
import pytest

from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, TAIL, build_tracklets
from spam_model.values import Candidates, ClipInfo
from tests.spam_model.graph.worlds import random_candidates


def one_walker(frames: int, speed: float) -> Scene:
    """x grows by ``speed`` px per second at 25 frames/s, height 100 px."""
    x = 200 + speed * np.arange(frames) / 25.0
    box = np.stack([x - 20, np.full(frames, 100.0), x + 20, np.full(frames, 200.0)], axis=1)
    info = ClipInfo("walker", frames, 25.0, 2000, 480)
    candidates = Candidates.build(info, np.arange(frames), box, np.full(frames, 0.9))
    scene = Scene.of(candidates)
    # One walker alone cannot be told from a moving camera, so the position is set without the camera.
    object.__setattr__(scene, "geometry", np.stack([x, box[:, 3], np.full(frames, np.log(100.0)), np.zeros(frames)], 1))
    return scene


def test_a_steady_walk_is_fitted_at_both_ends() -> None:
    nodes = build_tracklets(one_walker(50, speed=75.0), np.zeros(50, np.int64))
    assert nodes.velocity[0, :, :, 0] == pytest.approx(75.0, rel=0.05)
    assert nodes.position[0, HEAD, :, 0] == pytest.approx(200.0, abs=0.5)
    assert nodes.position[0, TAIL, :, 0] == pytest.approx(200 + 75 * 49 / 25, abs=0.5)
    assert nodes.frame.tolist() == [[0, 49]]


def test_one_box_stands_still_where_it_is() -> None:
    scene = Scene.of(random_candidates(0))
    nodes = build_tracklets(scene, np.arange(len(scene)))
    assert not nodes.velocity.any()
    assert np.allclose(nodes.position, scene.geometry[:, None, None, :])


def test_the_fit_is_the_weighted_least_squares_fit() -> None:
    scene = Scene.of(random_candidates(2, people=1, frames=30, clutter=0))
    nodes = build_tracklets(scene, np.zeros(len(scene), np.int64))
    time = (scene.frame - scene.frame[-1]) / 25.0
    weight = np.where(time >= -1.5, scene.score**2 + 1e-3, 0.0)
    # The ridge on the velocity is one more row in the system: sqrt(λ Σw) · v = 0.
    design = np.stack([np.ones_like(time), time], axis=1) * np.sqrt(weight)[:, None]
    design = np.concatenate([design, [[0.0, np.sqrt(4e-4 * weight.sum())]]])
    values = np.concatenate([scene.geometry * np.sqrt(weight)[:, None], np.zeros((1, 4))])
    expected = np.linalg.lstsq(design, values, rcond=None)[0]
    assert np.allclose(nodes.position[0, TAIL, 1], expected[0])
    assert np.allclose(nodes.velocity[0, TAIL, 1], expected[1])


def test_all_tracklets_at_once_are_as_one_by_one() -> None:
    scene = Scene.of(random_candidates(3, size=8))
    node_of = np.random.default_rng(0).integers(-1, 9, len(scene))
    together = build_tracklets(scene, node_of)
    for node in range(9):
        alone = build_tracklets(scene, np.where(node_of == node, 0, -1))
        for name, value in vars(alone).items():
            assert np.allclose(value[0], getattr(together, name)[node]), name


def test_no_candidate_is_no_tracklet() -> None:
    scene = Scene.of(random_candidates(0).take(np.zeros(0, np.int64)))
    assert len(build_tracklets(scene, np.zeros(0, np.int64))) == 0
