"""Cars and people side by side in one run: no edge, no vote and no track joins two classes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spam_model.data import kitti
from spam_model.graph import scene as scene_module
from spam_model.graph.hierarchy import run_hierarchy
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.graph.node_level import node_graph
from spam_model.graph.scene import Scene
from spam_model.graph.states import build_tracklets
from spam_model.labeler import Labeler
from spam_model.motion import camera_path
from spam_model.values import Candidates, Hierarchy
from tests.spam_model.graph.worlds import random_candidates, random_model

DATA = Path(os.environ.get("CVAT_SPAM_DATA", Path(__file__).parents[4] / "shared")) / "data" / "tune" / "KITTI"
SEQUENCES = ("0000", "0001", "0002", "0003", "0004")
MIXED = random_candidates(5, people=25, frames=40, clutter=60, classes=3)


def run(model: SpamModel, candidates: Candidates) -> Hierarchy:
    return run_hierarchy(model, candidates)


def alone(model: SpamModel, candidates: Candidates, class_id: int, monkeypatch: pytest.MonkeyPatch) -> Hierarchy:
    """A run on one class, seen by the camera of all of them."""
    path = camera_path(candidates)
    with monkeypatch.context() as patch:
        patch.setattr(scene_module, "camera_path", lambda _: path)
        return run(model, candidates.take(candidates.class_id == class_id))


def partition(track_of: np.ndarray) -> list[int]:
    """Tracks by their first rows, so that numbers do not matter. [N]."""
    first = np.full(int(track_of.max(initial=-1)) + 2, -1)
    rows = np.flatnonzero(track_of >= 0)[::-1]
    first[track_of[rows]] = rows
    return [int(first[track]) for track in track_of]


def assert_classes_keep_apart(candidates: Candidates, result: Hierarchy) -> None:
    for level in result.levels:
        class_of = np.full(int(level.node_of.max(initial=-1)) + 1, -1)
        inside = level.node_of >= 0
        class_of[level.node_of[inside]] = candidates.class_id[inside]
        assert np.array_equal(class_of[level.node_of[inside]], candidates.class_id[inside]), "a node has one class"
        assert np.array_equal(class_of[level.edge[0]], class_of[level.edge[1]])
    for track in range(int(result.track_of.max(initial=-1)) + 1):
        assert len(set(candidates.class_id[result.track_of == track])) == 1


@pytest.mark.parametrize("seed", range(3))
def test_no_edge_and_no_track_joins_two_classes(seed: int) -> None:
    assert_classes_keep_apart(MIXED, run(random_model(seed), MIXED))


def test_boxes_of_two_classes_are_no_duplicates_and_no_neighbours() -> None:
    lookalike = replace(MIXED, class_id=np.zeros(len(MIXED), np.int64))
    edge, every = (
        node_graph(scene, build_tracklets(scene, np.arange(len(scene))), MIXED.box)[0]
        for scene in (Scene.of(MIXED), Scene.of(lookalike))
    )
    assert 100 < edge.shape[1] < every.shape[1]
    assert np.array_equal(MIXED.class_id[edge[0]], MIXED.class_id[edge[1]])


def test_boxes_of_two_classes_do_not_vote_for_a_camera() -> None:
    frame = np.repeat(np.arange(40), 8)
    box = np.tile(np.array([[50.0 * k, 100, 50.0 * k + 40, 200] for k in range(8)]), (40, 1))
    box += 3.0 * frame[:, None] * np.array([1, 0, 1, 0])
    info = replace(MIXED.info, class_names=("car", "person"))
    candidates = Candidates.build(info, frame, box, np.full(len(frame), 0.9))
    assert camera_path(candidates)[-1, 0] == pytest.approx(3.0 * 39, abs=2)
    assert not camera_path(replace(candidates, class_id=frame % 2)).any()


@pytest.mark.parametrize("class_id", range(3))
def test_a_class_has_the_tracks_that_it_has_alone(class_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(2)
    own = MIXED.class_id == class_id
    beside, by_itself = run(model, MIXED), alone(model, MIXED, class_id, monkeypatch)
    assert partition(beside.track_of[own]) == partition(by_itself.track_of)
    assert np.allclose(beside.node_probability[own], by_itself.node_probability, atol=1e-6)


@pytest.mark.shared_data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no development data at {DATA}")
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_cars_and_pedestrians_of_kitti_are_tracked_side_by_side(sequence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = DATA / sequence
    candidates = kitti.read_detections(folder, kitti.read_sequence_info(folder))
    assert set(candidates.class_id) == {0, 1}
    labels = Labeler.load(device="cpu").label(candidates).labels
    for track in labels.track_ids.tolist():
        assert len(set(labels.class_id[labels.rows(track)])) == 1
    model = SpamModel.load(SHIPPED_WEIGHTS)
    result = run(model, candidates)
    assert_classes_keep_apart(candidates, result)
    for class_id in (0, 1):
        own = candidates.class_id == class_id
        by_itself = alone(model, candidates, class_id, monkeypatch)
        assert partition(result.track_of[own]) == partition(by_itself.track_of)
