"""Average precision and recall of detections, against pycocotools and by hand."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from spam_model.evaluation.average_precision import MatchedDetections, detection_quality, match_image, match_sequence
from spam_model.values import Candidates, ClipInfo, GroundTruth

FRAMES = 6
INFO = ClipInfo("walk", FRAMES, 10, 400, 300, ("person", "dog"))


def truth_of(
    frame: np.ndarray, box: np.ndarray, class_id: np.ndarray | None = None, ignored: np.ndarray | None = None
) -> GroundTruth:
    count = len(frame)
    return GroundTruth(
        info=INFO,
        track=np.arange(count),
        frame=frame,
        box=np.asarray(box, float).reshape(-1, 4),
        class_id=np.zeros(count, np.int64) if class_id is None else class_id,
        visibility=np.ones(count),
        ignored=np.zeros(count, bool) if ignored is None else ignored,
    )


def random_scene(seed: int, share_ignored: float) -> tuple[Candidates, GroundTruth]:
    """Objects in crowds, some of them ignored; detections near them, twice or not at all, and false alarms."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 60))
    corner = rng.uniform(0, 120, (count, 2))
    box = np.concatenate([corner, corner + rng.uniform(20, 50, (count, 2))], axis=1)
    frame, class_id = rng.integers(0, FRAMES, count), rng.integers(0, 2, count)
    truth = truth_of(frame, box, class_id, rng.random(count) < share_ignored)
    rows = np.flatnonzero(rng.random(count * 2) < 0.7) % count
    seen = box[rows] + rng.normal(0, 4, (len(rows), 4))
    corner = rng.uniform(0, 150, (20, 2))
    alarms = np.concatenate([corner, corner + rng.uniform(20, 50, (20, 2))], axis=1)
    candidates = Candidates.build(
        INFO,
        np.concatenate([frame[rows], rng.integers(0, FRAMES, 20)]),
        np.concatenate([seen, alarms]),
        rng.permutation(len(rows) + 20) / (len(rows) + 20),  # no two alike: their order is no matter of chance
        class_id=np.concatenate([class_id[rows], rng.integers(0, 2, 20)]),
    )
    return candidates, truth


def coco_box(box: np.ndarray) -> list[float]:
    x1, y1, x2, y2 = box.tolist()
    return [x1, y1, x2 - x1, y2 - y1]


def coco_evaluation(candidates: Candidates, truth: GroundTruth) -> Any:
    """pycocotools at IoU 0.5, with no limit to detections an image and no size classes."""
    annotations = [
        {
            "id": row + 1,
            "image_id": int(truth.frame[row]) + 1,
            "category_id": int(truth.class_id[row]) + 1,
            "bbox": coco_box(truth.box[row]),
            "area": 1.0,
            "iscrowd": 0,
            "ignore": int(truth.ignored[row]),
        }
        for row in range(len(truth))
    ]
    results = [
        {
            "image_id": int(candidates.frame[row]) + 1,
            "category_id": int(candidates.class_id[row]) + 1,
            "bbox": coco_box(candidates.box[row]),
            "score": float(candidates.score[row]),
        }
        for row in range(len(candidates))
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": frame + 1} for frame in range(FRAMES)],
            "categories": [{"id": 1}, {"id": 2}],
            "annotations": annotations,
            "info": {},
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.maxDets = [10_000]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation._prepare = lambda: _prepare_with_ignored(evaluation, prepare)
        prepare = COCOeval._prepare
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _prepare_with_ignored(evaluation: Any, prepare: Any) -> None:
    """pycocotools overwrites ``ignore`` by ``iscrowd``; put it back."""
    ignored = {row["id"]: row["ignore"] for row in evaluation.cocoGt.dataset["annotations"]}
    prepare(evaluation)
    for rows in evaluation._gts.values():
        for row in rows:
            row["ignore"] = ignored[row["id"]]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), share_ignored=st.sampled_from([0.0, 0.3]))
def test_average_precision_and_recall_are_those_of_pycocotools(seed: int, share_ignored: float) -> None:
    candidates, truth = random_scene(seed, share_ignored)
    evaluation = coco_evaluation(candidates, truth)
    for class_id, matched in enumerate(match_sequence(candidates, truth)):
        precision = evaluation.eval["precision"][0, :, class_id, 0, 0]
        recall = evaluation.eval["recall"][0, class_id, 0, 0]
        if matched.truth_count == 0:
            assert recall == -1
            continue
        assert matched.average_precision() == pytest.approx(precision.mean(), abs=1e-12)
        assert matched.recall() == pytest.approx(recall, abs=1e-12)


def boxes(*x: float) -> np.ndarray:
    """Boxes of 10 × 10 px from these columns."""
    corner = np.array([[value, 0.0] for value in x]).reshape(-1, 2)
    return np.concatenate([corner, corner + 10], axis=1)


@pytest.mark.parametrize(
    ("found", "scores", "there", "ignored", "hits", "counted"),
    [
        ([0], [0.9], [0], [False], [True], 1),
        ([0, 1], [0.9, 0.8], [0], [False], [True, False], 2),  # the second on the same object is a false alarm
        ([1, 0], [0.8, 0.9], [0], [False], [True, False], 2),  # best score first, whatever the order
        ([0], [0.9], [4], [False], [False], 1),  # IoU 0.43
        ([0, 1], [0.9, 0.8], [0], [True], [False], 1),  # one on a distractor is left out, the next is not
        ([2], [0.9], [0, 1], [False, True], [True], 1),  # the real one goes first though the distractor fits better
        ([], [], [0, 30], [False, False], [], 0),
    ],
)
def test_detections_take_objects_one_by_one(
    found: list[float],
    scores: list[float],
    there: list[float],
    ignored: list[bool],
    hits: list[bool],
    counted: int,
) -> None:
    matched = match_image(boxes(*found), np.array(scores), boxes(*there), np.array(ignored))
    assert matched.hit.tolist() == hits
    assert len(matched.score) == counted
    assert matched.truth_count == ignored.count(False)


def test_recall_is_taken_at_the_score_that_is_asked_for() -> None:
    matched = MatchedDetections(np.array([0.9, 0.1, 0.09, 0.5]), np.array([True, True, True, False]), 4)
    assert [matched.recall(score) for score in (0.0, 0.1, 0.95)] == [0.75, 0.5, 0.0]


def test_a_detection_on_a_vehicle_is_a_false_alarm_and_on_a_distractor_is_not() -> None:
    truth = truth_of(np.zeros(3, int), boxes(0, 100, 200), np.array([0, 0, -1]), np.array([False, True, True]))
    found = Candidates.build(INFO, np.zeros(3, int), boxes(0, 100, 200), np.array([0.7, 0.8, 0.9]))
    person, _ = match_sequence(found, truth)
    assert sorted(zip(person.score.tolist(), person.hit.tolist(), strict=True)) == [(0.7, True), (0.9, False)]
    assert person.truth_count == 1


def test_sequences_are_pooled_and_classes_averaged() -> None:
    truth = truth_of(np.zeros(2, int), boxes(0, 100), np.array([0, 1]))
    both = Candidates.build(INFO, np.zeros(2, int), boxes(0, 100), np.array([0.9, 0.9]), class_id=np.array([0, 1]))
    person = both.take([0])
    quality = detection_quality([(both, truth), (person, truth)], min_score=0.1)
    assert quality.recall == pytest.approx((1.0 + 0.5) / 2)
    assert quality.average_precision == pytest.approx((1.0 + 51 / 101) / 2)


def test_truth_of_frames_that_the_clip_does_not_have_is_not_looked_for() -> None:
    truth = truth_of(np.array([0, 5]), boxes(0, 0))
    short = ClipInfo("walk", 3, 10, 400, 300, ("person",))
    found = Candidates.build(short, np.zeros(1, int), boxes(0), np.ones(1))
    assert detection_quality([(found, truth)]).recall == 1


def test_where_there_is_nothing_to_find_there_is_no_figure() -> None:
    found = Candidates.build(INFO, np.zeros(1, int), boxes(0), np.ones(1))
    quality = detection_quality([(found, truth_of(np.zeros(0, int), boxes()))])
    assert np.isnan([quality.average_precision, quality.recall]).all()
