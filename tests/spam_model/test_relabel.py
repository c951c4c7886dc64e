"""Labelling again after answers spares what never changes with them, and gives what labelling from scratch gives."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given, settings

from spam_model.graph.scene import Scene
from spam_model.labeler import Labeler, Unanswered
from spam_model.values import Candidates, Constraint, ConstraintKind, Constraints, Hierarchy, LabelResult
from tests.spam_model.graph.worlds import anchor, any_constraints, random_candidates

LABELER = Labeler.load(device="cpu")
CLIP = random_candidates(3, people=5, frames=60, clutter=20, classes=2, size=4)
BASE = LABELER.unanswered(CLIP)


def copied(hierarchy: Hierarchy) -> list[np.ndarray]:
    arrays = [hierarchy.node_probability, hierarchy.kept, hierarchy.track_of]
    for level in hierarchy.levels:
        arrays += [level.node_of, level.edge, level.probability, level.chosen]
    return [array.copy() for array in arrays]


def assert_same(one: LabelResult, other: LabelResult) -> None:
    """To the bit."""
    for left, right in zip(copied(one.hierarchy), copied(other.hierarchy), strict=True):
        assert np.array_equal(left, right)
    for ours, theirs in ((one.candidates, other.candidates), (one.labels, other.labels)):
        for name in {field.name for field in fields(ours)} - {"info"}:
            assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    assert (one.conflicts, one.unmatched) == (other.conflicts, other.unmatched)


def corrections(candidates: Candidates, rows: tuple[int, ...]) -> tuple[Constraint, ...]:
    return tuple(
        Constraint(ConstraintKind.BOX, (at := anchor(candidates, row)), box=tuple(side + 2.5 for side in at.box))  # type: ignore[arg-type]
        for row in rows
    )


@settings(deadline=None, max_examples=15)
@given(any_constraints(CLIP))
def test_any_answers_give_what_they_give_from_scratch(constraints: Constraints) -> None:
    assert_same(LABELER.label(CLIP, constraints, base=BASE), LABELER.label(CLIP, constraints))


def test_corrected_boxes_give_what_they_give_from_scratch() -> None:
    said = Constraints(corrections(CLIP, (3, 40, 90)))
    assert_same(LABELER.label(CLIP, said, base=BASE), LABELER.label(CLIP, said))


@settings(deadline=None, max_examples=10)
@given(any_constraints(CLIP))
def test_answers_leave_the_run_without_answers_as_it_was(constraints: Constraints) -> None:
    before = copied(BASE.hierarchy)
    LABELER.label(CLIP, constraints, base=BASE)
    assert all(np.array_equal(one, other) for one, other in zip(before, copied(BASE.hierarchy), strict=True))


def test_a_result_without_answers_serves_as_the_base() -> None:
    first = Unanswered(Scene.of(CLIP), LABELER.label(CLIP).hierarchy)
    said = Constraints(corrections(CLIP, (7,)))
    assert_same(LABELER.label(CLIP, said, base=first), LABELER.label(CLIP, said))
