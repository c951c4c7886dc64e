from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.active.questions.places import drawn_id
from spam_model.data.motchallenge import read_detections, read_ground_truth, read_sequence_info
from spam_model.errors import DeviceError
from spam_model.evaluation import evaluate
from spam_model.labeler import Labeler
from spam_model.simulation import SimulationConfig, simulate
from spam_model.values import Anchor, Constraint, ConstraintKind, Constraints, LabelResult
from tests.spam_model.graph.worlds import accept, anchor, any_constraints, cannot_link, must_link, reject

DATA = Path(os.environ.get("CVAT_SPAM_DATA", Path(__file__).parents[3] / "shared")) / "data"
CLIP = simulate(SimulationConfig(frame_count=100, people=8), seed=1)
SHORT = simulate(SimulationConfig(frame_count=24, people=5), seed=3)


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return Labeler.load(device="cpu")


@pytest.fixture(scope="module")
def result(labeler: Labeler) -> LabelResult:
    return labeler.label(CLIP.candidates)


def test_the_shipped_weights_follow_people_they_never_saw(result: LabelResult) -> None:
    scores = evaluate(CLIP.truth, result.labels)
    assert scores.hota > 65
    assert scores.idf1 > 75


def test_the_same_candidates_give_the_same_labels(labeler: Labeler, result: LabelResult) -> None:
    again = labeler.label(CLIP.candidates).labels
    assert np.array_equal(again.box, result.labels.box)
    assert np.array_equal(again.track, result.labels.track)


def test_the_version_names_the_weights(labeler: Labeler) -> None:
    assert len(labeler.version) == 12
    assert labeler.version == Labeler.load(device="cpu").version


def test_answers_reach_the_labels(labeler: Labeler, result: LabelResult) -> None:
    candidates = CLIP.candidates
    track = result.hierarchy.track_of
    longest = np.argsort(-np.bincount(track[track >= 0]), kind="stable")
    members = [np.flatnonzero(track == number).tolist() for number in longest[:3]]
    low = int(np.flatnonzero(track < 0)[0])
    gone = members[0][10]
    split = members[1][5], members[1][15]
    fragment = next(np.flatnonzero(track == number).tolist() for number in longest[::-1])
    joined = fragment[0], next(row for row in members[2] if candidates.frame[row] not in candidates.frame[fragment])
    items = (
        accept(candidates, low),
        reject(candidates, gone),
        cannot_link(candidates, *split),
        must_link(candidates, *joined),
    )
    answered = labeler.label(candidates, Constraints(items))
    assert answered.conflicts == ()
    assert answered.unmatched == ()
    labels, track = answered.labels, answered.hierarchy.track_of
    assert candidates.id[low] in labels.candidate_id
    assert candidates.id[gone] not in labels.candidate_id
    assert track[split[0]] != track[split[1]]
    assert track[joined[0]] == track[joined[1]] >= 0


def test_a_corrected_box_is_the_label(labeler: Labeler, result: LabelResult) -> None:
    row = int(np.flatnonzero(result.hierarchy.track_of >= 0)[40])
    x1, y1, x2, y2 = CLIP.candidates.box[row].tolist()
    box = (x1 + 3.0, y1 + 2.0, x2 + 4.0, y2 + 5.0)
    item = Constraint(ConstraintKind.BOX, anchor(CLIP.candidates, row), box=box)
    answered = labeler.label(CLIP.candidates, Constraints((item,)))
    labels = answered.labels
    assert answered.candidates.box[row].tolist() == list(box)
    assert labels.box[labels.candidate_id == CLIP.candidates.id[row]].tolist() == [pytest.approx(box)]


def test_contradictions_and_lost_candidates_are_reported(labeler: Labeler) -> None:
    candidates = CLIP.candidates
    lost = replace(accept(candidates, 3), first=replace(anchor(candidates, 3), candidate_id=10**6, box=(0, 0, 1, 1)))
    answered = labeler.label(candidates, Constraints((accept(candidates, 1), reject(candidates, 1), lost)))
    assert "both accepted and rejected" in answered.conflicts[0]
    assert answered.unmatched == (lost,)


def test_it_works_without_pixels(labeler: Labeler) -> None:
    blind = replace(CLIP.candidates, embedding=np.zeros((len(CLIP.candidates), 0), np.float32))
    assert evaluate(CLIP.truth, labeler.label(blind).labels).hota > 60


def test_an_empty_clip_has_empty_labels(labeler: Labeler) -> None:
    assert len(labeler.label(CLIP.candidates.take(np.zeros(0, np.int64))).labels) == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DeviceError):
        Labeler.load(device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_gives_what_the_cpu_gives(result: LabelResult) -> None:
    other = Labeler.load(device="cuda").label(CLIP.candidates)
    for one, two in zip(result.hierarchy.levels, other.hierarchy.levels, strict=True):
        assert np.allclose(one.probability, two.probability, atol=1e-4)
    assert np.array_equal(result.labels.track, other.labels.track)


@pytest.mark.shared_data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no development data at {DATA}")
@pytest.mark.parametrize(("sequence", "hota"), [("MOT17-05", 63.0), ("MOT17-11", 70.0)])
def test_real_crowds_are_followed_better_than_by_a_tracker(labeler: Labeler, sequence: str, hota: float) -> None:
    folder = DATA / "tune" / "MOT17-val" / sequence
    info = read_sequence_info(folder)
    labels = labeler.label(read_detections(folder / "det" / "det.txt", info)).labels
    assert evaluate(read_ground_truth(folder / "gt" / "gt.txt", info), labels).hota > hota


def test_a_box_that_a_person_confirmed_is_not_smoothed_away(labeler: Labeler, result: LabelResult) -> None:
    id = int(result.labels.candidate_id[result.labels.candidate_id >= 0][5])
    row = int(CLIP.candidates.rows_of(np.array([id]))[0])
    x1, y1, x2, y2 = (float(value) for value in CLIP.candidates.box[row])
    said = Constraint(ConstraintKind.BOX, anchor(CLIP.candidates, row), box=(x1, y1, x2, y2))
    labels = labeler.label(CLIP.candidates, Constraints((said,))).labels
    assert labels.box[labels.candidate_id == id].tolist() == [[x1, y1, x2, y2]]


@settings(deadline=None, max_examples=10)
@given(st.data())
def test_sparing_the_run_without_answers_changes_nothing(labeler: Labeler, data: st.DataObject) -> None:
    base = labeler.unanswered(SHORT.candidates)
    items = data.draw(any_constraints(SHORT.candidates)).items
    box = (100.0, 100.0, 130.0, 200.0)
    proposal = Anchor(-9, data.draw(st.integers(0, 23)), box, 0)
    constraints = Constraints(
        (*items, *data.draw(st.sampled_from([(), (Constraint(ConstraintKind.BOX, proposal, box=box),)])))
    )
    spared, whole = (labeler.label(SHORT.candidates, constraints, base=given) for given in (base, None))
    assert (spared.conflicts, spared.unmatched) == (whole.conflicts, whole.unmatched)
    levels = zip(spared.hierarchy.levels, whole.hierarchy.levels, strict=True)
    parts = [(getattr(spared, name), getattr(whole, name)) for name in ("labels", "candidates", "hierarchy")]
    for one, other in [*parts, *levels]:
        arrays = {name: value for name, value in vars(one).items() if isinstance(value, np.ndarray)}
        assert len(arrays) >= 3
        for name, value in arrays.items():
            assert np.array_equal(value, getattr(other, name)), name


def gaps(result: LabelResult, least: int) -> list[tuple[int, int]]:
    """Rows of the candidates on the two sides of the gaps of at least so many frames, in pushed tracks."""
    found = []
    for track in result.labels.track_ids.tolist():
        ids = result.labels.candidate_id[result.labels.rows(track)]
        rows = result.candidates.rows_of(ids[ids >= 0])
        found += [
            (a, b) for a, b in pairwise(rows.tolist()) if CLIP.candidates.frame[b] - CLIP.candidates.frame[a] > least
        ]
    return found


@pytest.mark.parametrize("offset", [0.0, 8.0], ids=["as proposed", "moved"])
def test_a_box_drawn_in_a_gap_is_a_label_of_the_track_on_both_sides(
    labeler: Labeler, result: LabelResult, offset: float
) -> None:
    candidates = CLIP.candidates
    for before, after in gaps(result, least=6)[:5]:
        frame = int(candidates.frame[before] + candidates.frame[after]) // 2
        x1, y1, x2, y2 = ((candidates.box[before] + candidates.box[after]) / 2 + offset).tolist()
        drawn = Anchor(drawn_id(int(candidates.id[before]), frame), frame, (x1, y1, x2, y2), 0)
        ends = anchor(candidates, before), anchor(candidates, after)
        items = (
            Constraint(ConstraintKind.BOX, drawn, box=drawn.box),
            Constraint(ConstraintKind.MUST_LINK, ends[0], drawn),
            Constraint(ConstraintKind.MUST_LINK, drawn, ends[1]),
        )
        answered = labeler.label(candidates, Constraints(items))
        labels = answered.labels
        (row,) = np.flatnonzero(labels.candidate_id == drawn.candidate_id)
        assert labels.box[row].tolist() == list(drawn.box)
        assert (labels.frame[row], labels.occluded[row], labels.uncertainty[row]) == (frame, False, 0)
        same = {int(labels.track[labels.candidate_id == candidates.id[end]][0]) for end in (before, after)}
        assert same == {int(labels.track[row])}
        assert not (labels.occluded & (labels.track == labels.track[row]) & (labels.frame == frame)).any()
    assert len(gaps(result, least=6)) > 0
