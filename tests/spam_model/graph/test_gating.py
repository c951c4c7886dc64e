from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from spam_model.graph import gating
from spam_model.graph.gating import LevelRule, propose_edges, rank_within
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, TAIL, Tracklets, build_tracklets
from tests.spam_model.graph.worlds import random_candidates


def every_pair_that_passes(scene: Scene, nodes: Tracklets, rule: LevelRule) -> set[tuple[int, int]]:
    """The gate in plain words, over all pairs."""
    found = set()
    for i in range(len(nodes)):
        for j in range(len(nodes)):
            frames = nodes.frame[j, HEAD] - nodes.frame[i, TAIL]
            same_clip = nodes.frame[i, HEAD] // rule.clip_length == nodes.frame[j, TAIL] // rule.clip_length
            in_time = -rule.overlap < frames <= rule.longest_gap
            if rule.overlap:
                in_time &= (nodes.frame[j] > nodes.frame[i]).all()
            if i == j or not same_clip or not in_time or nodes.class_id[i] != nodes.class_id[j]:
                continue
            first, second = nodes.geometry[i, TAIL], nodes.geometry[j, HEAD]
            height = np.sqrt(np.exp(first[2]) * np.exp(second[2]))
            seconds = min(max(frames, 0) / scene.frame_rate, 3.0)
            dx, dy = np.abs(second - first)[:2]
            if (
                dx <= (0.45 + 3.0 * seconds) * height
                and dy <= (0.45 + 0.9 * seconds) * height
                and abs(second[2] - first[2]) <= 0.8
            ):
                found.add((i, j))
    return found


@pytest.mark.parametrize(
    "rule",
    [
        LevelRule(clip_length=2, longest_gap=2),
        LevelRule(clip_length=8, longest_gap=8),
        LevelRule(clip_length=32, longest_gap=32, overlap=4),
        LevelRule(clip_length=32, longest_gap=5),
        LevelRule(clip_length=1000, longest_gap=3),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_what_all_pairs_would(rule: LevelRule, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gating, "NEIGHBOURS", 10_000)
    monkeypatch.setattr(gating, "_BLOCK", 100)
    scene = Scene.of(random_candidates(seed, frames=40, classes=2))
    rng = np.random.default_rng(seed)
    node_of = np.unique(scene.class_id * 1000 + rng.integers(0, 40, len(scene)), return_inverse=True)[1]
    nodes = build_tracklets(scene, node_of) if rule.overlap else build_tracklets(scene, np.arange(len(scene)))
    edge = propose_edges(scene, nodes, rule)
    assert {(int(i), int(j)) for i, j in edge.T} == every_pair_that_passes(scene, nodes, rule)
    assert edge.shape[1] == len({(int(i), int(j)) for i, j in edge.T})


def test_no_node_keeps_more_than_ten_edges_on_a_side() -> None:
    scene = Scene.of(random_candidates(0, people=60, frames=6))
    edge = propose_edges(scene, build_tracklets(scene, np.arange(len(scene))), LevelRule(8, 8))
    assert np.bincount(edge[0]).max() <= 10
    assert np.bincount(edge[1]).max() <= 10


def test_a_flood_of_edges_is_cut_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene.of(random_candidates(0, people=20))
    nodes = build_tracklets(scene, np.arange(len(scene)))
    with caplog.at_level(logging.WARNING):
        edge = propose_edges(scene, nodes, LevelRule(8, 8), max_edges=30)
    assert edge.shape == (2, 30)
    assert "the cheapest 30 are kept" in caplog.text


def test_nothing_is_proposed_for_nothing() -> None:
    candidates = random_candidates(0)
    for rows in (np.zeros(0, np.int64), np.array([3])):
        scene = Scene.of(candidates.take(rows))
        assert propose_edges(scene, build_tracklets(scene, np.arange(len(rows))), LevelRule(8, 8)).shape == (2, 0)


def test_a_pan_of_the_camera_changes_no_edge() -> None:
    candidates = random_candidates(1, people=12, frames=16, clutter=0)
    pan = 12.0 * candidates.frame[:, None] * np.array([1, 0, 1, 0])
    panned = replace(candidates, box=candidates.box + pan)
    edges = []
    for each in (candidates, panned):
        scene = Scene.of(each)
        edges.append(propose_edges(scene, build_tracklets(scene, np.arange(len(scene))), LevelRule(2, 2)))
    shared = len(set(map(tuple, edges[0].T)) & set(map(tuple, edges[1].T)))
    assert shared >= 0.9 * max(edges[0].shape[1], edges[1].shape[1])


def test_ranks_count_within_groups() -> None:
    assert rank_within(np.array([5, 5, 2, 5]), np.array([0.3, 0.1, 9.0, 0.2])).tolist() == [2, 0, 0, 1]
