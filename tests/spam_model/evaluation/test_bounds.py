"""The bound that any choice among given candidates has, against reference numbers measured with TrackEval elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from spam_model import geometry
from spam_model.data.motchallenge import read_detections, read_ground_truth, read_sequence_info
from spam_model.evaluation import evaluate
from spam_model.postprocess import PostprocessSettings, finish
from spam_model.values import Candidates, Constraints, GroundTruth, Hierarchy

DATA = Path(os.environ.get("CVAT_SPAM_DATA", Path(__file__).parents[4] / "shared")) / "data" / "tune"
NO_GAPS = PostprocessSettings(max_gap=0, smoothing=0, min_duration=0, min_best_score=0)
ALL_GAPS = PostprocessSettings(max_gap=1e6, smoothing=0, min_duration=0, min_best_score=0)


def perfect_tracks(candidates: Candidates, truth: GroundTruth) -> np.ndarray:
    """The truth track of each candidate by Hungarian matching at IoU ≥ 0.5 in every frame, -1 for none."""
    track = np.full(len(candidates), -1)
    for frame in range(candidates.info.frame_count):
        rows = np.flatnonzero(candidates.frame == frame)
        real = np.flatnonzero((truth.frame == frame) & ~truth.ignored)
        iou = geometry.iou_matrix(candidates.box[rows], truth.box[real])
        first, second = linear_sum_assignment(-np.where(iou >= 0.5, iou, 0))
        good = iou[first, second] >= 0.5
        track[rows[first[good]]] = truth.track[real[second[good]]]
    return track


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("sequence", "settings", "hota"),
    [
        ("MOT17-val/MOT17-05", NO_GAPS, 73.6),
        ("MOT17-val/MOT17-05", ALL_GAPS, 78.8),
        ("MOT17-val/MOT17-11", NO_GAPS, 78.0),
        ("MOT17-val/MOT17-11", ALL_GAPS, 82.5),
        ("MOT15/TUD-Campus", ALL_GAPS, 69.7),
    ],
)
def test_the_perfect_choice_among_candidates_scores_what_was_measured_elsewhere(
    sequence: str, settings: PostprocessSettings, hota: float
) -> None:
    folder = DATA / sequence
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here; set CVAT_SPAM_DATA")
    info = read_sequence_info(folder)
    candidates = read_detections(folder / "det" / "det.txt", info)
    truth = read_ground_truth(folder / "gt" / "gt.txt", info)
    track = perfect_tracks(candidates, truth)
    hierarchy = Hierarchy(np.ones(len(track)), track >= 0, (), track)
    labels = finish(candidates, hierarchy, Constraints(), settings)
    assert evaluate(truth, labels).hota == pytest.approx(hota, abs=0.15)
