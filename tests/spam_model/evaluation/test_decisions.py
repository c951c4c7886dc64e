"""What counts as true, on hand-made tracks."""

from __future__ import annotations

import numpy as np

from spam_model.evaluation.decisions import decisions_of, held_out_clip, joined
from spam_model.evaluation.matching import IGNORED, NO_OBJECT
from spam_model.evaluation.node_quality import node_quality
from spam_model.values import Candidates, ClipInfo, Hierarchy, Level

INFO = ClipInfo("hand-made", 40, 10.0, 640, 480)


def candidates(frames: list[int]) -> Candidates:
    box = np.tile([100.0, 100.0, 140.0, 200.0], (len(frames), 1))
    return Candidates.build(INFO, np.array(frames), box, np.linspace(0.9, 0.1, len(frames)))


def hierarchy(count: int, edge: list[tuple[int, int]], clip_length: int) -> Hierarchy:
    level = Level(
        3, clip_length, np.arange(count), np.array(edge).T, np.linspace(0.1, 0.9, len(edge)), np.zeros(len(edge), bool)
    )
    return Hierarchy(np.linspace(0.9, 0.1, count), np.ones(count, bool), (level,), np.arange(count))


def test_an_edge_is_true_between_consecutive_boxes_of_one_object() -> None:
    edge = [(0, 1), (0, 2), (1, 2), (2, 3)]
    found = decisions_of(candidates([0, 1, 2, 3]), hierarchy(4, edge, 8), np.array([7, 7, 7, 9]))
    assert found[3][1].tolist() == [True, False, True, False]
    assert found[3][0].tolist() == np.linspace(0.1, 0.9, 4).tolist()
    assert found[0][1].tolist() == [True] * 4


def test_what_touches_a_distractor_counts_for_nothing() -> None:
    edge = [(0, 1), (1, 2), (0, 2)]
    found = decisions_of(candidates([0, 1, 2]), hierarchy(3, edge, 8), np.array([7, IGNORED, 7]))
    assert found[3][1].tolist() == [True]
    assert found[0][1].tolist() == [True, True]


def test_edges_between_false_positives_count_in_short_clips_only() -> None:
    identity = np.array([NO_OBJECT, NO_OBJECT, 7])
    edge = [(0, 1), (1, 2)]
    short = decisions_of(candidates([0, 1, 2]), hierarchy(3, edge, 16), identity)
    long = decisions_of(candidates([0, 1, 2]), hierarchy(3, edge, 32), identity)
    assert short[3][1].tolist() == [False, False]
    assert long[3][1].tolist() == [False]
    assert long[3][0].tolist() == [0.9]


def test_runs_are_joined_level_by_level() -> None:
    one = {0: (np.array([0.1]), np.array([True])), 2: (np.array([0.2]), np.array([False]))}
    two = {0: (np.array([0.3, 0.4]), np.array([False, True]))}
    both = joined([one, two])
    assert both[0][0].tolist() == [0.1, 0.3, 0.4]
    assert both[2][1].tolist() == [False]


def test_held_out_clips_are_the_same_in_every_run_and_differ() -> None:
    (first, identity), (again, _), (other, _) = (held_out_clip(number) for number in (0, 0, 1))
    assert np.array_equal(first.box, again.box)
    assert len(identity) == len(first)
    assert first.info.name != other.info.name
    assert first.embedding.shape[1] > 0
    assert other.embedding.shape[1] == 0


def test_a_curve_ends_with_all_candidates_kept() -> None:
    identity = np.array([7, NO_OBJECT, 7, IGNORED, 7])
    quality = node_quality(candidates([0, 1, 2, 3, 4]), hierarchy(5, [(0, 1)], 8), identity)
    assert quality.by_score.recall.tolist() == [1 / 3, 1 / 3, 2 / 3, 1.0]
    assert quality.by_score.precision.tolist() == [1.0, 1 / 2, 2 / 3, 3 / 4]
    assert [check.recall for check in quality.checks] == [0.8, 0.9, 0.95, 0.98]
