"""The bound that any choice among given candidates has, against reference numbers measured with TrackEval elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spam_model.data.inputs import read_input, read_truth
from spam_model.evaluation import evaluate
from spam_model.evaluation.bounds import perfect_choice
from spam_model.simulation import SimulationConfig, simulate

DATA = Path(os.environ.get("CVAT_SPAM_DATA", Path(__file__).parents[4] / "shared")) / "data" / "tune"


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("sequence", "fill", "hota"),
    [
        ("MOT17-val/MOT17-05", False, 73.6),
        ("MOT17-val/MOT17-05", True, 78.8),
        ("MOT17-val/MOT17-11", False, 78.0),
        ("MOT17-val/MOT17-11", True, 82.5),
        ("MOT15/TUD-Campus", True, 69.7),
    ],
)
def test_the_perfect_choice_among_candidates_scores_what_was_measured_elsewhere(
    sequence: str, fill: bool, hota: float
) -> None:
    folder = DATA / sequence
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here; set CVAT_SPAM_DATA")
    truth = read_truth(folder)
    assert evaluate(truth, perfect_choice(read_input(folder), truth, fill)).hota == pytest.approx(hota, abs=0.15)


def test_the_perfect_choice_errs_in_nothing_but_boxes_and_misses() -> None:
    clip = simulate(SimulationConfig(frame_count=40, people=6), seed=3)
    scores = evaluate(clip.truth, perfect_choice(clip.candidates, clip.truth, fill=False))
    assert scores.fp == 0
    assert scores.idsw == 0
    filled = evaluate(clip.truth, perfect_choice(clip.candidates, clip.truth))
    assert filled.fn < scores.fn
