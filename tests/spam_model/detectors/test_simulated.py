"""The simulated detector: repeatable, over-complete, and at fault where real detectors are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spam_model.detectors.simulated import SimulatedFaults, simulate_detections
from spam_model.geometry import iou_matrix
from spam_model.values import ClipInfo, GroundTruth
from tests.spam_model.detectors.shared import recall_and_precision

INFO = ClipInfo("walk", frame_count=200, frame_rate=10.0, width=640, height=360)


def crowd(people: int = 6) -> GroundTruth:
    """People who walk across side by side in their own lanes, half of them to the left, so that they cross."""
    frame = np.tile(np.arange(200), people)
    track = np.repeat(np.arange(people), 200)
    direction = np.where(track % 2, -1, 1)
    x = 320 + direction * (frame - 100 + 8 * track) * 2.5
    foot = 250.0 + 12 * track
    height = 90.0 + 8 * track
    box = np.stack([x - 0.2 * height, foot - height, x + 0.2 * height, foot], axis=1)
    count = len(frame)
    return GroundTruth(INFO, track, frame, box, np.zeros(count, np.int64), np.ones(count), np.zeros(count, bool))


def hit(truth: GroundTruth, seed: int = 0) -> np.ndarray:
    """[M] bool: a candidate covers the box at IoU 0.5."""
    candidates = simulate_detections(truth, seed=seed)
    result = np.zeros(len(truth), bool)
    for frame in range(truth.info.frame_count):
        rows = np.flatnonzero(truth.frame == frame)
        overlap = iou_matrix(truth.box[rows], candidates.box[candidates.frame == frame])
        result[rows] = overlap.max(axis=1, initial=0) >= 0.5
    return result


def test_the_same_seed_gives_the_same_candidates_and_another_seed_others() -> None:
    first, again, other = (simulate_detections(crowd(), seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.box, again.box)
    assert np.array_equal(first.id, again.id)
    assert len(first) != len(other) or not np.array_equal(first.box, other.box)


@pytest.mark.parametrize("seed", range(3))
def test_it_gives_an_over_complete_set(seed: int) -> None:
    truth = crowd()
    half_hidden = replace(truth, visibility=np.where(truth.frame % 50 < 10, 0.05, 1.0))
    recall, precision = recall_and_precision(simulate_detections(half_hidden, seed=seed), half_hidden)
    assert 0.85 < recall < 0.98
    assert 0.45 < precision < 0.75


def test_false_positives_score_lower_than_people() -> None:
    truth, candidates = crowd(), simulate_detections(crowd())
    is_person = np.zeros(len(candidates), bool)
    for frame in range(INFO.frame_count):
        rows = candidates.frame == frame
        overlap = iou_matrix(candidates.box[rows], truth.box[truth.frame == frame])
        is_person[rows] = overlap.max(axis=1) > 0.5
    assert np.median(candidates.score[is_person]) > 0.7
    assert np.median(candidates.score[~is_person]) < 0.35


@pytest.mark.parametrize(
    ("visibility", "least", "most"), [(1.0, 0.98, 1.0), (0.2, 0.8, 0.995), (0.1, 0.4, 0.85), (0.0, 0.0, 0.35)]
)
def test_the_less_is_seen_of_people_the_more_are_missed(visibility: float, least: float, most: float) -> None:
    truth = replace(crowd(1), visibility=np.full(200, visibility))
    assert least <= np.mean([hit(truth, seed) for seed in range(8)]) <= most


def test_people_are_missed_behind_others_also_where_no_visibility_is_annotated() -> None:
    behind, before = crowd(1), crowd(1)
    size = before.box[:, 2:] - before.box[:, :2]
    near = np.stack([before.box[:, 0] - size[:, 0] / 2, before.box[:, 1] - size[:, 1] / 2], axis=1)
    near = np.concatenate([near, near + 2 * size], axis=1)  # twice as large, feet nearer: IoU 0.25
    met = behind.frame < 100
    pair = GroundTruth(
        INFO,
        np.concatenate([behind.track, np.ones(100, np.int64)]),
        np.concatenate([behind.frame, behind.frame[met]]),
        np.concatenate([behind.box, near[met]]),
        *(np.concatenate([part, part[met]]) for part in (behind.class_id, behind.visibility, behind.ignored)),
    )
    found = np.mean([hit(pair, seed)[:200] for seed in range(5)], axis=0)
    assert found[:100].mean() < 0.35
    assert found[100:].mean() > 0.95


def test_misses_come_in_runs() -> None:
    truth = replace(crowd(1), visibility=np.full(200, 0.1))  # scores around the threshold
    missed = np.array([~hit(truth, seed) for seed in range(30)])
    rate = missed.mean()
    after_a_miss = missed[:, 1:][missed[:, :-1]].mean()
    assert 0.02 < rate < 0.6
    assert after_a_miss > 1.5 * rate


def test_the_box_error_moves_slowly() -> None:
    faults = SimulatedFaults(duplicate_rate=0.0, clutter=0, transient_rate=0.0)
    candidates = simulate_detections(crowd(1), faults=faults)
    truth = crowd(1).box[candidates.frame]
    error = (candidates.box[:, 3] - truth[:, 3]) / 90
    together = np.diff(candidates.frame) == 1
    assert error.std() > 0.008
    assert np.diff(error)[together].std() < error.std()


def test_no_box_below_the_threshold_and_no_two_alike() -> None:
    candidates = simulate_detections(crowd(), min_score=0.3)
    assert candidates.score.min() >= 0.3
    for frame in range(INFO.frame_count):
        box = candidates.box[candidates.frame == frame]
        assert np.triu(iou_matrix(box, box), 1).max(initial=0) <= 0.7


def test_distractors_are_no_people_and_nobody_gives_nothing() -> None:
    truth = crowd(2)
    assert len(simulate_detections(replace(truth, ignored=np.ones(len(truth), bool)))) == 0
