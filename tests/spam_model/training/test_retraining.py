"""Multi-round self-training keeps what people said, and the model of the last round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.labeler import Labeler
from spam_model.simulation import SimulationConfig, simulate
from spam_model.training import adapt as module
from spam_model.training.adapt import GENTLY
from spam_model.training.retraining import Retraining
from spam_model.values import Constraint, ConstraintKind, Constraints

CLIP = simulate(SimulationConfig(frame_count=30, people=5), seed=3).candidates
TWO_STEPS = replace(GENTLY, minutes=0.0, steps=2)


def test_without_an_answer_it_labels_as_the_model_does_and_trains_nothing() -> None:
    model = SpamModel.load(SHIPPED_WEIGHTS)
    loop = Retraining(model, TWO_STEPS)
    labels = loop.label(CLIP, Constraints()).labels
    assert loop.model is model
    assert np.array_equal(labels.box, Labeler(model, model.device).label(CLIP).labels.box)


def test_after_answers_the_model_has_learned_or_stayed_and_the_answers_hold(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "HELD_OUT_CLIPS", 1)
    loop = Retraining(SpamModel.load(SHIPPED_WEIGHTS), TWO_STEPS)
    (anchor,) = anchors_of(CLIP, np.array([0]))
    result = loop.label(CLIP, Constraints((Constraint(ConstraintKind.REJECT, anchor),)))
    assert anchor.candidate_id not in result.labels.candidate_id
    assert len(result.labels)
