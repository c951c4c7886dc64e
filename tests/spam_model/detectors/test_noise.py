"""Fitted detector noise: what is fitted is what is applied, at any frame rate."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spam_model.active.oracle import match_to_truth
from spam_model.data.motchallenge import read_detections, read_ground_truth, read_sequence_info
from spam_model.detectors.detector_noise import LEVELS, DetectorNoise, read_noise, seen_shares, write_noise
from spam_model.detectors.noise_fit import fit_noise
from spam_model.detectors.noisy import noisy_candidates
from spam_model.errors import FormatError, InputError
from spam_model.geometry import iou_matrix
from spam_model.simulation import SimulationConfig, simulate
from spam_model.values import Candidates, ClipInfo, GroundTruth
from tests.spam_model.simulation.statistics import statistics

DATA = Path(os.environ.get("CVAT_SPAM_DATA", Path(__file__).parents[4] / "shared")) / "data" / "tune" / "MOT17-val"


@cache
def crowd(seed: int = 0) -> GroundTruth:
    return simulate(SimulationConfig(frame_count=250, people=20, camera_height=1.8, pitch=0.05), seed).truth


def recall(candidates: Candidates, truth: GroundTruth, rows: np.ndarray, min_score: float = 0.0) -> float:
    """Share of the truth boxes ``rows`` that a candidate of that score fits."""
    _, hit = match_to_truth(candidates.take(candidates.score >= min_score), truth)
    return float(np.isin(rows, hit).mean())


def precision(candidates: Candidates, truth: GroundTruth, min_score: float) -> float:
    identity, _ = match_to_truth(candidates.take(candidates.score >= min_score), truth)
    return float((identity[identity >= -1] >= 0).mean())


def at_rate(truth: GroundTruth, every: int) -> GroundTruth:
    """The same motion, seen in every n-th frame."""
    rows = np.flatnonzero(truth.frame % every == 0)
    names = ("track", "box", "class_id", "visibility", "ignored")
    info = replace(
        truth.info, frame_count=-(-truth.info.frame_count // every), frame_rate=truth.info.frame_rate / every
    )
    return replace(
        truth, info=info, frame=truth.frame[rows] // every, **{name: getattr(truth, name)[rows] for name in names}
    )


def test_the_same_seed_gives_the_same_candidates_and_another_seed_others() -> None:
    first, again, other = (noisy_candidates(crowd(), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.box, again.box)
    assert np.array_equal(first.id, again.id)
    assert len(first) != len(other) or not np.array_equal(first.box, other.box)


def test_noise_fitted_on_noisy_candidates_is_that_noise() -> None:
    truth, noise = crowd(), read_noise()
    clips = [(noisy_candidates(truth, noise, seed, min_score=0.0), truth) for seed in range(3)]
    again = fit_noise(clips)
    redone = [(noisy_candidates(truth, again, seed, min_score=0.0), truth) for seed in range(3)]
    all_rows = np.arange(len(truth))
    for score in (0.1, 0.5, 0.8):
        recalls = [np.mean([recall(c, t, all_rows, score) for c, t in pairs]) for pairs in (clips, redone)]
        assert recalls[0] == pytest.approx(recalls[1], abs=0.05)
        precisions = [np.mean([precision(c, t, score) for c, t in pairs]) for pairs in (clips, redone)]
        assert precisions[0] == pytest.approx(precisions[1], abs=0.05)
    for ours, theirs in zip(again.errors, noise.errors, strict=True):
        spread = [np.ptp(np.interp([0.1, 0.9], LEVELS, table.quantiles[-2])) for table in (ours, theirs)]
        assert spread[0] == pytest.approx(spread[1], rel=0.4)


@pytest.mark.parametrize("every", [2, 3])
def test_times_are_in_seconds(every: int) -> None:
    """At a half or a third of the frame rate as many people are missed, and as many false positives are in a frame."""
    slow = at_rate(crowd(), every)
    found = [noisy_candidates(truth, seed=3) for truth in (crowd(), slow)]
    recalls = [recall(c, t, np.arange(len(t))) for c, t in zip(found, (crowd(), slow), strict=True)]
    assert recalls[0] == pytest.approx(recalls[1], abs=0.02)
    per_frame = [len(c) / c.info.frame_count for c in found]
    assert per_frame[0] == pytest.approx(per_frame[1], rel=0.12)


def test_the_less_is_seen_of_people_the_more_are_missed() -> None:
    shares = [
        [
            recall(noisy_candidates(truth), truth, np.flatnonzero((seen >= low) & (seen < low + 0.3)))
            for low in (0.0, 0.3, 0.71)
        ]
        for truth, seen in ((truth, seen_shares(truth)) for truth in map(crowd, range(4)))
    ]
    hidden, partly, seen = np.mean(shares, axis=0)
    assert hidden < 0.8 < partly < seen


def test_who_stands_lower_in_the_image_hides_who_stands_behind() -> None:
    info = ClipInfo("two", 1, 25.0, 640, 480)
    box = np.array([[100.0, 100, 140, 200], [80, 90, 160, 230]])
    truth = GroundTruth(info, np.arange(2), np.zeros(2, int), box, np.zeros(2, int), np.ones(2), np.zeros(2, bool))
    assert seen_shares(truth).tolist() == [0.0, 1.0]


def test_no_box_below_the_threshold_none_outside_the_image_and_no_two_alike() -> None:
    noise, candidates = read_noise(), noisy_candidates(crowd(), min_score=0.3)
    assert candidates.score.min() >= 0.3
    assert (candidates.box[:, 2:] > 0).all()
    for frame in range(0, 250, 9):
        box = candidates.box[candidates.frame == frame]
        assert np.triu(iou_matrix(box, box), 1).max(initial=0) <= noise.max_iou


def test_distractors_are_not_detected_and_nobody_gives_nothing() -> None:
    truth = crowd()
    assert len(noisy_candidates(replace(truth, ignored=np.ones(len(truth), bool)))) == 0


def test_noise_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_noise(tmp_path / "noise.json", read_noise())
    assert read_noise(tmp_path / "noise.json") == read_noise()


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '{"source": "x", "min_score": "high"}'])
def test_a_file_that_is_no_noise_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "noise.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"noise\.json: not the statistics of a detector"):
        read_noise(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no detector noise at"):
        read_noise(tmp_path / "nowhere.json")


def test_too_little_to_fit_is_an_error() -> None:
    truth = crowd()
    with pytest.raises(InputError, match="too few"):
        fit_noise([(noisy_candidates(truth).take(np.zeros(0, int)), truth)])


@cache
def mot17(name: str) -> tuple[Candidates, GroundTruth]:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here; set CVAT_SPAM_DATA")
    info = read_sequence_info(folder)
    return (
        read_detections(folder / "det" / "yolox_x.txt", info, min_score=0.05),
        read_ground_truth(folder / "gt" / "gt.txt", info),
    )


@cache
def mot17_noise() -> DetectorNoise:
    return fit_noise([mot17("MOT17-05"), mot17("MOT17-11")])


@pytest.mark.shared_data
def test_the_shipped_noise_is_what_the_data_gives() -> None:
    assert replace(mot17_noise(), source=read_noise().source) == read_noise()


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["MOT17-05", "MOT17-11"])
def test_noise_on_real_truth_is_close_to_real_detections(name: str) -> None:
    real, truth = mot17(name)
    noisy = noisy_candidates(truth, mot17_noise(), min_score=0.05)
    people = np.flatnonzero(~truth.ignored)
    for score in (0.1, 0.3, 0.5, 0.7):
        assert recall(noisy, truth, people, score) == pytest.approx(recall(real, truth, people, score), abs=0.03)
        assert precision(noisy, truth, score) == pytest.approx(precision(real, truth, score), abs=0.1)
    ours, theirs = (statistics(candidates.take(candidates.score >= 0.1)) for candidates in (noisy, real))
    assert ours.per_frame == pytest.approx(theirs.per_frame, rel=0.2)
    assert ours.share_overlapped == pytest.approx(theirs.share_overlapped, rel=0.35)
    for channel in ("jitter_x", "jitter_y", "jitter_log_height", "jitter_log_width"):
        assert 0.5 < getattr(ours, channel) / getattr(theirs, channel) < 2.5
