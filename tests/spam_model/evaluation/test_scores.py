from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

from spam_model.data.motchallenge import read_ground_truth, read_rows, read_sequence_info
from spam_model.evaluation import Scores, evaluate, evaluate_folders, evaluate_many
from spam_model.values import GroundTruth, Labels
from tests.spam_model.builders import clip_info
from tests.spam_model.evaluation.worlds import FRAMES, write_sequence

INFO = clip_info(frame_count=20)


def truth_of(track: list[int], frame: list[int], x: list[float], ignored: list[bool] | None = None) -> GroundTruth:
    count = len(track)
    corner = np.stack([np.array(x, float), np.full(count, 100.0)], axis=1)
    return GroundTruth(
        info=INFO,
        track=np.array(track),
        frame=np.array(frame),
        box=np.concatenate([corner, corner + np.array([40, 100])], axis=1),
        class_id=np.zeros(count, np.int64),
        visibility=np.ones(count),
        ignored=np.zeros(count, bool) if ignored is None else np.array(ignored),
    )


def labels_like(truth: GroundTruth, track: np.ndarray | None = None) -> Labels:
    return Labels.build(INFO, truth.track if track is None else track, truth.frame, truth.box)


def trackeval_scores(gt_dir: Path, pred_dir: Path, names: list[str], benchmark: str) -> dict[str, Scores]:
    """TrackEval's own pipeline, from files."""
    dataset = MotChallenge2DBox(
        {
            "GT_FOLDER": str(gt_dir),
            "TRACKERS_FOLDER": str(pred_dir.parent),
            "TRACKERS_TO_EVAL": [pred_dir.name],
            "TRACKER_SUB_FOLDER": "",
            "BENCHMARK": benchmark,
            "SKIP_SPLIT_FOL": True,
            "SEQ_INFO": dict.fromkeys(names, FRAMES),
            "PRINT_CONFIG": False,
        }
    )
    metrics = (HOTA(), CLEAR({"PRINT_CONFIG": False}), Identity({"PRINT_CONFIG": False}))
    results: dict[str, dict[str, Any]] = {metric.get_name(): {} for metric in metrics}
    for name in names:
        raw = dataset.get_raw_seq_data(pred_dir.name, name)
        data = dataset.get_preprocessed_seq_data(raw, "pedestrian")
        for metric in metrics:
            results[metric.get_name()][name] = metric.eval_sequence(data)
    for metric in metrics:
        results[metric.get_name()]["combined"] = metric.combine_sequences(dict(results[metric.get_name()]))
    return {
        name: Scores(
            *(100 * results["HOTA"][name][field].mean() for field in ("HOTA", "DetA", "AssA", "LocA")),
            100 * results["CLEAR"][name]["MOTA"],
            100 * results["Identity"][name]["IDF1"],
            *(results["CLEAR"][name][field] for field in ("IDSW", "CLR_FP", "CLR_FN")),
        )
        for name in [*names, "combined"]
    }


@pytest.mark.parametrize(("mot15", "benchmark"), [(False, "MOT17"), (True, "MOT15")])
def test_scores_equal_those_of_trackevals_own_pipeline(tmp_path: Path, mot15: bool, benchmark: str) -> None:
    gt_dir, pred_dir, names = tmp_path / "gt", tmp_path / "pred", ["A", "B", "C"]
    for seed, name in enumerate(names):
        write_sequence(gt_dir, pred_dir, name, seed, mot15)
    expected = trackeval_scores(gt_dir, pred_dir, names, benchmark)
    evaluation = evaluate_folders(gt_dir, pred_dir)
    for name, scores in [*evaluation.sequences.items(), ("combined", evaluation.combined)]:
        assert scores.as_dict() == pytest.approx(expected[name].as_dict(), abs=1e-9)
        assert 20 < scores.hota < 90, "the case must have something to disagree about"


def test_distractors_change_the_scores_of_the_parity_case(tmp_path: Path) -> None:
    write_sequence(tmp_path / "gt", tmp_path / "pred", "A", seed=0)
    info = read_sequence_info(tmp_path / "gt" / "A")
    truth = read_ground_truth(tmp_path / "gt" / "A" / "gt" / "gt.txt", info)
    labels = read_rows(tmp_path / "pred" / "A.txt", info)
    unaware = replace(truth, class_id=np.where(truth.ignored, -1, truth.class_id))
    assert evaluate(unaware, labels).fp > evaluate(truth, labels).fp + 50


def test_perfect_labels_score_100() -> None:
    truth = truth_of([1] * 20 + [2] * 20, [*range(20)] * 2, [*range(20), *range(200, 220)])
    assert evaluate(truth, labels_like(truth)) == Scores(100, 100, 100, 100, 100, 100, 0, 0, 0)


def test_one_switch_in_the_middle_costs_association_only() -> None:
    truth = truth_of([1] * 20, [*range(20)], [*range(20)])
    scores = evaluate(truth, labels_like(truth, np.where(truth.frame < 10, 1, 2)))
    assert (scores.deta, scores.assa, scores.idsw, scores.fp, scores.fn) == (100, 50, 1, 0, 0)
    assert scores.mota == pytest.approx(95)
    assert scores.hota == pytest.approx(100 * np.sqrt(0.5))


def test_a_label_on_a_distractor_counts_neither_way() -> None:
    truth = truth_of([1] * 5 + [2] * 5, [*range(5)] * 2, [0] * 5 + [300] * 5, [False] * 5 + [True] * 5)
    assert evaluate(truth, labels_like(truth)) == Scores(100, 100, 100, 100, 100, 100, 0, 0, 0)


@pytest.mark.parametrize("side", ["truth", "labels"])
def test_an_empty_side_is_all_misses_or_all_false_alarms(side: str) -> None:
    full, none = truth_of([1] * 5, [*range(5)], [0] * 5), truth_of([], [], [])
    truth, labels = (none, labels_like(full)) if side == "truth" else (full, labels_like(none))
    scores = evaluate(truth, labels)
    assert (scores.hota, scores.fp, scores.fn) == ((0, 5, 0) if side == "truth" else (0, 0, 5))


def test_nothing_prints(capfd: pytest.CaptureFixture[str]) -> None:
    truth = truth_of([1] * 5, [*range(5)], [0] * 5)
    evaluate_many({"a": (truth, labels_like(truth))})
    assert capfd.readouterr() == ("", "")


def test_nothing_to_evaluate_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate_many({})
