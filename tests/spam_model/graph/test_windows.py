"""A level computed window by window, by several threads, is the level computed at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spam_model.graph import hierarchy as module
from spam_model.graph.hierarchy import frames_that_hold, renumber, run_hierarchy, spans, windows
from spam_model.graph.model import SpamModel
from spam_model.graph.scene import Scene
from spam_model.values import Candidates, Hierarchy
from tests.spam_model.graph.worlds import random_candidates, random_model

CLIP = random_candidates(0, people=4, frames=70, clutter=25, classes=2, size=4)
SCENE = Scene.of(CLIP)
SPARSE = CLIP.take((CLIP.frame < 9) | (CLIP.frame == 40))


def run(candidates: Candidates, threads: int = 1) -> Hierarchy:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return run_hierarchy(random_model(1), candidates)
    finally:
        assert torch.get_num_threads() == threads
        torch.set_num_threads(before)


@pytest.mark.parametrize("candidates", [CLIP, SPARSE])
@pytest.mark.parametrize("at_a_time", [1, 20, 100])
def test_association_in_windows_changes_nothing(
    candidates: Candidates, at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(candidates)
    monkeypatch.setattr(module, "CANDIDATES", at_a_time)
    cut = run(candidates)
    assert np.array_equal(whole.track_of, cut.track_of)
    assert np.array_equal(whole.node_probability, cut.node_probability)
    for one, other in zip(whole.levels, cut.levels, strict=True):
        assert np.array_equal(one.edge, other.edge)
        assert np.allclose(one.probability, other.probability, atol=1e-6)


def test_several_threads_change_not_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANDIDATES", 20)
    monkeypatch.setattr(module, "NODE_CANDIDATES", 50)
    one, other = run(CLIP, threads=1), run(CLIP, threads=3)
    assert np.array_equal(one.node_probability, other.node_probability)
    assert np.array_equal(one.track_of, other.track_of)
    for level, same in zip(one.levels, other.levels, strict=True):
        assert np.array_equal(level.probability, same.probability)


def test_a_node_level_in_windows_differs_at_their_borders_only(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(CLIP)
    monkeypatch.setattr(module, "NODE_CANDIDATES", len(CLIP) / 70 * 32)
    cut = run(CLIP)
    changed = CLIP.frame[np.abs(whole.node_probability - cut.node_probability) > 1e-6]
    reach = SpamModel().node.config.steps * 5  # frames that messages travel
    assert len(changed)
    assert (np.abs(changed[:, None] - np.array([31.5, 63.5])).min(axis=1) < reach).all()


def test_an_error_in_a_window_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a window failed")

    monkeypatch.setattr(module, "node_graph", fails)
    with pytest.raises(RuntimeError, match="a window failed"):
        run(CLIP)


def test_numbers_close_up_in_their_order() -> None:
    assert renumber(np.array([4, -1, 2, 4, 7])).tolist() == [1, -1, 0, 1, 2]
    assert renumber(np.array([-1, -1])).tolist() == [-1, -1]
    assert renumber(np.zeros(0, np.int64)).tolist() == []


def test_a_node_spans_its_first_to_its_last_frame() -> None:
    assert spans(np.array([0, 1, 2, 5, 9]), np.array([0, 1, 0, -1, 0])).tolist() == [[0, 9], [1, 1]]


@pytest.mark.parametrize(("frames_worth", "frames"), [(0.3, 1), (1, 1), (5, 4), (16, 16), (100, 64)])
def test_a_window_holds_about_as_many_candidates_as_told(frames_worth: float, frames: int) -> None:
    assert frames_that_hold(frames_worth * len(CLIP) / CLIP.info.frame_count, SCENE) == frames


@pytest.mark.parametrize("length", [1, 16, 128])
def test_windows_share_out_every_candidate(length: int) -> None:
    parts = list(windows(SCENE, length))
    assert [row for _, rows in parts for row in range(rows.start, rows.stop)] == list(range(len(CLIP)))
    for frames, rows in parts:
        assert frames.start % length == 0
        assert ((SCENE.frame[rows] >= frames.start) & (SCENE.frame[rows] < frames.stop)).all()


def test_a_stretch_without_candidates_has_no_window() -> None:
    assert [frames.start for frames, _ in windows(Scene.of(SPARSE), 8)] == [0, 8, 40]
