"""The fast graph against the plain one: the same hypotheses, features, probabilities and tracks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from spam_model.graph.hierarchy import level_graphs, run_hierarchy
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.graph.node_level import node_graph
from spam_model.graph.scene import Scene
from spam_model.graph.states import build_tracklets
from spam_model.motion import camera_path
from spam_model.simulation import SimulationConfig, simulate
from spam_model.values import Candidates, Hierarchy
from tests.spam_model.graph.reference import PlainResult, label_plainly
from tests.spam_model.graph.reference.camera import camera_path as plain_camera_path
from tests.spam_model.graph.reference.node_level import node_level
from tests.spam_model.graph.reference.tracklets import clip_of
from tests.spam_model.graph.worlds import random_candidates, random_model

TOLERANCE = 1e-5


def shipped() -> SpamModel:
    return SpamModel.load(SHIPPED_WEIGHTS)


def shaken() -> Candidates:
    """A moving camera, so that the camera's path matters."""
    config = SimulationConfig(frame_count=24, people=12, shake_px=0.02, frame_rate=10.0, embedding_size=8)
    return simulate(config, seed=4).candidates


def followed() -> Candidates:
    """Loose ends that a motion model has looked at."""
    return simulate(SimulationConfig(frame_count=40, people=6, frame_rate=10.0, followed=True), seed=5).candidates


def without_appearance() -> Candidates:
    clip = simulate(SimulationConfig(frame_count=45, people=5, frame_rate=20.0), seed=7).candidates
    return replace(clip, embedding=np.zeros((len(clip), 0), np.float32))


def without_ties(candidates: Candidates) -> Candidates:
    """Embeddings a little short of length 1.

    A pair whose appearance is looked up among the random pairs may be one of them. It ties with itself, and which side
    it falls on hangs on the order in which float32 products are added. Tracklets are normalised, random pairs are not:
    so here no pair ties.
    """
    return replace(candidates, embedding=np.float32(0.98) * candidates.embedding)


CASES = {
    "a shaken camera": (shaken, shipped),
    "motion seen in the pixels": (followed, shipped),
    "no appearance": (without_appearance, shipped),
    "two classes, any weights": (
        lambda: random_candidates(3, people=5, frames=33, clutter=20, classes=2, size=4),
        lambda: random_model(1),
    ),
    "crowded in few frames": (lambda: random_candidates(1, people=14, frames=9, clutter=10), shipped),
}


@cache
def both(case: str) -> tuple[SpamModel, Candidates, Hierarchy, PlainResult]:
    make, load = CASES[case]
    candidates, model = without_ties(make()), load()
    return (
        model,
        candidates,
        run_hierarchy(model, candidates),
        label_plainly(model, candidates),
    )


def assert_close(found: np.ndarray, expected: list[list[float]]) -> None:
    """[K, F] against as many rows."""
    assert np.allclose(found, np.array(expected).reshape(found.shape), rtol=0, atol=TOLERANCE)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_camera_moves_alike(case: str) -> None:
    _, candidates, _, _ = both(case)
    assert np.allclose(camera_path(candidates), plain_camera_path(candidates), atol=1e-6)


def test_a_shaken_camera_is_seen_to_move() -> None:
    assert np.ptp(camera_path(shaken())) > 1.0


def test_the_node_level_is_the_same(case: str) -> None:
    _, candidates, fast, plain = both(case)
    scene = Scene.of(candidates)
    nodes = build_tracklets(scene, np.arange(len(scene)))
    edge, node_feature, edge_feature = node_graph(scene, nodes, candidates.box)
    plain_edge, plain_node, plain_edge_feature = node_level(clip_of(candidates))
    assert {tuple(pair) for pair in edge.T.tolist()} == set(plain_edge)
    assert_close(node_feature, plain_node)
    by_edge = dict(zip(plain_edge, plain_edge_feature, strict=True))
    expected = [by_edge[tuple(pair)] for pair in edge.T.tolist()]
    assert_close(edge_feature, expected)
    assert np.allclose(fast.node_probability, plain.node_probability, atol=TOLERANCE)


def test_every_level_has_the_same_hypotheses_and_probabilities(case: str) -> None:
    _, _, fast, plain = both(case)
    assert len(fast.levels) == len(plain.levels)
    assert sum(len(level.probability) for level in fast.levels) >= 100
    for level, other in zip(fast.levels, plain.levels, strict=True):
        assert [np.flatnonzero(level.node_of == k).tolist() for k in range(len(other.nodes))] == other.nodes
        edges = [tuple(pair) for pair in level.edge.T.tolist()]
        assert set(edges) == set(other.probability)
        assert np.allclose(level.probability, [other.probability[edge] for edge in edges], atol=TOLERANCE)
        assert {edge for edge, chosen in zip(edges, level.chosen, strict=True) if chosen} == other.chosen


def test_every_level_has_the_same_features(case: str) -> None:
    _, candidates, fast, plain = both(case)
    scene = Scene.of(candidates)
    for level, other in zip(fast.levels, plain.levels, strict=True):
        for graph in level_graphs(scene, build_tracklets(scene, level.node_of), level.clip_length):
            expected = [other.node_feature[k] for k in graph.nodes]
            assert_close(graph.node_feature, expected)
            expected = [other.edge_feature[tuple(pair)] for pair in graph.nodes[graph.edge].T.tolist()]
            assert_close(graph.edge_feature, expected)
            if candidates.motion is not None:
                expected = [other.motion[tuple(pair)] for pair in graph.nodes[graph.edge].T.tolist()]
                assert_close(graph.motion, expected)


def test_the_motion_that_was_seen_is_of_many_edges() -> None:
    _, _, _, plain = both("motion seen in the pixels")
    assert sum(any(motion) for level in plain.levels for motion in level.motion.values()) > 30


def test_the_tracks_are_the_same(case: str) -> None:
    _, _, fast, plain = both(case)
    assert fast.track_of.tolist() == plain.track_of
    assert max(plain.track_of) > 0


def test_the_reference_sees_a_changed_weight() -> None:
    model, candidates, _, _ = both("no appearance")
    other = shipped()
    with torch.no_grad():
        other.association.step.edge_update[2].bias += 0.1
    changed = label_plainly(other, candidates.take(candidates.frame < 12))
    same = label_plainly(model, candidates.take(candidates.frame < 12))
    assert changed.levels[0].probability.keys() == same.levels[0].probability.keys()
    gap = [abs(p - same.levels[0].probability[edge]) for edge, p in changed.levels[0].probability.items()]
    assert max(gap) > 10 * TOLERANCE
