from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spam_model.geometry import iou_rows
from spam_model.graph.features import EDGE_FEATURES, NODE_FEATURES, edge_features, giou, node_features
from spam_model.graph.gating import LevelRule, propose_edges
from spam_model.graph.node_level import EDGE_INPUTS, NODE_INPUTS, node_graph
from spam_model.graph.scene import Scene
from spam_model.graph.states import build_tracklets
from spam_model.values import Candidates
from tests.spam_model.graph.worlds import random_candidates


def features(candidates: Candidates, clip_length: int = 8) -> tuple[np.ndarray, np.ndarray]:
    scene = Scene.of(candidates)
    nodes = build_tracklets(scene, np.arange(len(scene)))
    edge = propose_edges(scene, nodes, LevelRule(clip_length, clip_length))
    return node_features(scene, nodes, clip_length), edge_features(scene, nodes, edge)


@pytest.mark.parametrize("size", [0, 8])
def test_features_are_numbers_of_the_declared_width(size: int) -> None:
    node, edge = features(random_candidates(0, size=size))
    assert node.shape[1] == len(NODE_FEATURES)
    assert edge.shape[1] == len(EDGE_FEATURES)
    assert np.isfinite(node).all()
    assert np.isfinite(edge).all()
    assert set(edge[:, EDGE_FEATURES.index("has appearance")]) == {float(size > 0)}


def test_no_edge_has_no_feature() -> None:
    node, edge = features(random_candidates(0).take(np.array([0])))
    assert node.shape == (1, len(NODE_FEATURES))
    assert edge.shape == (0, len(EDGE_FEATURES))


def test_twice_the_resolution_changes_nothing() -> None:
    candidates = random_candidates(1)
    info = replace(candidates.info, width=2 * candidates.info.width, height=2 * candidates.info.height)
    larger = replace(candidates, info=info, box=2 * candidates.box)
    for small, large in zip(features(candidates), features(larger), strict=True):
        assert np.allclose(small, large, atol=1e-4)


def test_left_and_right_are_alike() -> None:
    candidates = random_candidates(1)
    x1, y1, x2, y2 = candidates.box.T
    width = candidates.info.width
    mirrored = replace(candidates, box=np.stack([width - x2, y1, width - x1, y2], axis=1))
    for one, other in zip(features(candidates), features(mirrored), strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_giou_is_iou_for_nested_boxes_and_negative_for_distant_ones() -> None:
    outer = np.array([[50.0, 100.0, np.log(100.0), np.log(40.0)]])
    inner = np.array([[50.0, 100.0, np.log(50.0), np.log(20.0)]])
    corners = [np.array([[30.0, 0.0, 70.0, 100.0]]), np.array([[40.0, 50.0, 60.0, 100.0]])]
    assert giou(outer, inner) == pytest.approx(iou_rows(*corners))
    assert giou(outer, outer) == pytest.approx(1.0)
    assert giou(outer, inner + np.array([[1000.0, 0, 0, 0]])) < -0.8


def test_embeddings_of_any_scale_give_the_same_appearance() -> None:
    """Twice as unlike, and compressed: ranks among the clip's pairs stay."""
    candidates = random_candidates(2, size=3)
    wide = np.concatenate([candidates.embedding, np.ones((len(candidates), 1), np.float32)], axis=1) / np.sqrt(2)
    _, plain = features(candidates)
    _, compressed = features(replace(candidates, embedding=wide.astype(np.float32)))
    column = EDGE_FEATURES.index("appearance quantile")
    assert np.allclose(plain[:, column], compressed[:, column], atol=0.01)


def test_the_node_level_sees_time_and_overlaps() -> None:
    candidates = random_candidates(0, people=10, size=4)
    scene = Scene.of(candidates)
    edge, node, feature = node_graph(scene, build_tracklets(scene, np.arange(len(scene))), candidates.box)
    assert node.shape == (len(scene), len(NODE_INPUTS))
    assert feature.shape == (edge.shape[1], len(EDGE_INPUTS))
    frames = scene.frame[edge[1]] - scene.frame[edge[0]]
    assert set(frames) <= set(range(6))
    same = frames == 0
    assert (scene.score[edge[0, same]] >= scene.score[edge[1, same]]).all()
    overlap = iou_rows(candidates.box[edge[0, same]], candidates.box[edge[1, same]])
    assert (overlap > 0.3).all()
    every = [
        (i, j)
        for i in range(len(scene))
        for j in range(i + 1, len(scene))
        if scene.frame[i] == scene.frame[j] and iou_rows(candidates.box[[i]], candidates.box[[j]])[0] > 0.3
    ]
    assert same.sum() == len(every)
