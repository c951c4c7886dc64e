from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spam_model.graph.model import LEVELS, SHIPPED_WEIGHTS, SpamModel
from spam_model.labeler import Labeler
from spam_model.training import adapt as module
from spam_model.training import sources
from spam_model.training.adapt import GENTLY, adapt
from spam_model.training.consistency import Comparison, Verdict
from spam_model.training.pseudo_labels import ANSWER_WEIGHT, PseudoLabelled, pseudo_label
from spam_model.values import Anchor, Candidates, Constraint, ConstraintKind, Constraints
from tests.spam_model.graph.worlds import random_candidates

NOBODY = Constraints()
BETTER = Comparison(teacher=0.8, student=0.9, error=0.01)


@pytest.fixture(scope="module")
def model() -> SpamModel:
    return SpamModel.load(SHIPPED_WEIGHTS)


@pytest.fixture(scope="module")
def clip() -> Candidates:
    return random_candidates(2, people=5, frames=60)


def anchor(candidates: Candidates, row: int) -> Anchor:
    x1, y1, x2, y2 = candidates.box[row].tolist()
    return Anchor(int(candidates.id[row]), int(candidates.frame[row]), (x1, y1, x2, y2), 0)


def test_pseudo_labels_are_what_is_pushed(model: SpamModel, clip: Candidates) -> None:
    labels = Labeler(model, torch.device("cpu")).label(clip).labels
    labelled = pseudo_label(model, clip, NOBODY)
    detected = labels.candidate_id >= 0
    rows = clip.rows_of(labels.candidate_id[detected])
    assert np.array_equal(labelled.identity[rows], labels.track[detected])
    assert ((labelled.weight >= 0) & (labelled.weight <= 1)).all()
    unsure = labels.uncertainty[detected] > 0.5 * np.log(2)
    assert (labelled.weight[rows[unsure]] < 0.5).all()


def test_what_lies_on_a_filled_gap_belongs_to_the_track(model: SpamModel) -> None:
    """The teacher leaves low scores out; the tracks that it closes over them teach the student to take them in."""
    walk = random_candidates(0, people=1, frames=40, clutter=0)
    dim = np.isin(walk.frame, [18, 19, 20, 21])
    walk = replace(walk, score=np.where(dim, 0.12, 0.9))
    linked = Labeler(model, torch.device("cpu")).label(walk).labels.candidate_id
    assert not np.isin(walk.id[dim], linked).any()
    labelled = pseudo_label(model, walk, NOBODY)
    assert dim.sum() > 0
    assert len(set(labelled.identity.tolist())) == 1
    assert (labelled.identity >= 0).all()


def test_answers_are_taken_in_and_weigh_more(model: SpamModel, clip: Candidates) -> None:
    plain = pseudo_label(model, clip, NOBODY)
    row = int(np.flatnonzero(plain.identity >= 0)[7])
    said = Constraints((Constraint(ConstraintKind.REJECT, anchor(clip, row), query_id="q"),))
    told = pseudo_label(model, clip, said)
    assert told.identity[row] == -1
    assert told.weight[row] == ANSWER_WEIGHT
    assert (told.weight[np.arange(len(clip)) != row] <= 1).all()
    accepted = Constraints((Constraint(ConstraintKind.ACCEPT, anchor(clip, row), query_id="q"),))
    assert pseudo_label(model, clip, accepted).weight[row] == ANSWER_WEIGHT


def test_the_student_sees_windows_of_the_clip_with_its_labels(model: SpamModel, clip: Candidates) -> None:
    labelled = pseudo_label(model, clip, NOBODY)
    source = PseudoLabelled((labelled,))
    for seed in range(5):
        part = source.draw(np.random.default_rng(seed))
        rows = clip.rows_of(part.candidates.id)
        assert np.array_equal(part.identity, labelled.identity[rows])
        assert np.array_equal(part.weight, labelled.weight[rows])
    sizes = {len(source.draw(np.random.default_rng(seed)).candidates) for seed in range(5)}
    assert len(sizes) > 1


def test_the_better_of_the_two_is_kept(model: SpamModel, clip: Candidates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_OUT_CLIPS", 2)
    monkeypatch.setattr(sources, "MOST_CANDIDATES", (100, 200))
    before, schedule = model.version, replace(GENTLY, steps=2)
    done = adapt(model, [clip], schedule=schedule)
    assert model.version == before, "the teacher stays as it is"
    assert done.student.version != before
    assert done.losses.shape == (2, LEVELS + 1)
    assert done.model is (done.student if done.verdict.prefers_student else model)
    monkeypatch.setattr(module, "judge", lambda *_: Verdict(BETTER, BETTER))
    again = adapt(model, [clip], schedule=schedule)
    assert again.model is again.student
    assert again.student.version == done.student.version, "the same clips, the same student"
