"""The graph computed in other ways, those of ``make bench``: what is faster must not be something else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spam_model.graph.gating import LevelRule, propose_edges
from spam_model.graph.hierarchy import LevelGraph, level_graphs, run_hierarchy
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, Tracklets, build_tracklets
from spam_model.values import Candidates
from tests.bench import all_pairs, clips, pyg
from tests.spam_model.graph.worlds import random_candidates, random_model

WORLD = random_candidates(4, people=8, frames=50, clutter=30, classes=2, size=4)


def tracklets(candidates: Candidates, length: int) -> Tracklets:
    """One for each class, place and stretch of so many frames."""
    place = (candidates.box[:, 0] // 40 + 100 * candidates.class_id + 1000 * (candidates.frame // length)).astype(int)
    return build_tracklets(Scene.of(candidates), np.unique(place, return_inverse=True)[1])


@pytest.mark.parametrize("rule", [LevelRule(2, 2), LevelRule(8, 8), LevelRule(32, 32, overlap=8), LevelRule(50, 5)])
@pytest.mark.parametrize("length", [1, 6])
def test_the_search_finds_what_all_pairs_give(rule: LevelRule, length: int) -> None:
    scene, nodes = Scene.of(WORLD), tracklets(WORLD, length)
    edge = propose_edges(scene, nodes, rule)
    assert np.array_equal(edge, all_pairs.all_pairs(scene, nodes, rule))
    assert edge.shape[1] > 0 or rule.clip_length <= length


def test_a_run_over_all_pairs_gives_the_same_tracks() -> None:
    model = SpamModel.load(SHIPPED_WEIGHTS)
    fast = run_hierarchy(model, WORLD)
    with all_pairs.in_force():
        slow = run_hierarchy(model, WORLD)
    assert np.array_equal(fast.track_of, slow.track_of)


def level_of_clips(clip_length: int) -> tuple[LevelGraph, np.ndarray]:
    scene = Scene.of(WORLD)
    nodes = build_tracklets(scene, np.arange(len(WORLD)))
    (graph,) = level_graphs(scene, nodes, clip_length)
    return graph, nodes.frame[graph.nodes, HEAD] // clip_length


@pytest.mark.parametrize("clip_length", [2, 16])
def test_message_passing_of_pyg_over_a_batch_of_clips_gives_the_same_probabilities(clip_length: int) -> None:
    model = random_model(9)
    graph, clip = level_of_clips(clip_length)
    parts, place = pyg.clips_of(graph, clip)
    assert len(parts) == -(-50 // clip_length)
    with torch.inference_mode():
        theirs = torch.sigmoid(pyg.PygAssociation(model)(pyg.batched(parts), level=2))
        ours = torch.sigmoid(model.edge_logits(graph.node_feature, graph.edge_feature, graph.edge, 2)[-1])
    assert np.allclose(ours[place], theirs, rtol=0, atol=1e-5)


def test_a_repeated_clip_goes_back_the_way_it_came() -> None:
    twice = clips.repeated(WORLD, 100)
    assert twice.info.frame_count == 100
    for frame in range(50):
        there, back = (twice.box[twice.frame == at] for at in (frame, 99 - frame))
        assert np.array_equal(there, back)
    assert len(clips.repeated(WORLD, 30)) == (WORLD.frame < 30).sum()
