from __future__ import annotations

import numpy as np
import pytest

from spam_model.detector_training.pseudo_labels import FILLED_WEIGHT, PSEUDO_WEIGHT, pseudo_boxes
from spam_model.detector_training.samples import Boxes
from spam_model.values import (
    Anchor,
    Candidates,
    ClipInfo,
    Constraint,
    ConstraintKind,
    Constraints,
    Labels,
    Query,
    QueryKind,
)
from spam_model.values.constraints import Box

INFO = ClipInfo("clip", 4, 10.0, 200, 100)
A: Box = (10.0, 10.0, 30.0, 60.0)
B: Box = (100.0, 10.0, 120.0, 60.0)
C: Box = (150.0, 10.0, 170.0, 60.0)
A_MOVED: Box = (14.0, 10.0, 34.0, 60.0)  # IoU 2/3 with A


def labels() -> Labels:
    """A in frames 0, 1 and, filled, 2; B in frame 0, uncertain."""
    return Labels.build(
        INFO,
        np.array([1, 1, 1, 2]),
        np.array([0, 1, 2, 0]),
        np.array([A, A, A, B]),
        score=np.array([0.9, 0.8, 0.0, 0.5]),
        uncertainty=np.array([0.0, 0.0, 0.0, np.log(2) / 2]),
    )


def anchor(box: Box, frame: int = 0, id: int = 7) -> Anchor:
    return Anchor(id, frame, box, 0)


def said(*items: Constraint, **more: object) -> list[Boxes]:
    return pseudo_boxes(labels(), Constraints(items), np.arange(4), **more)  # type: ignore[arg-type]


def rows(boxes: np.ndarray) -> list[Box]:
    return [tuple(row) for row in boxes.tolist()]


def test_tracks_are_objects_of_less_weight_where_they_are_less_certain() -> None:
    first, second, third, fourth = said()
    assert rows(first.box) == [A, B]
    assert first.weight.tolist() == pytest.approx([PSEUDO_WEIGHT, PSEUDO_WEIGHT / 2])
    assert second.weight.tolist() == [PSEUDO_WEIGHT]
    assert third.weight.tolist() == [FILLED_WEIGHT]
    assert len(fourth.box) == 0
    assert fourth.teach, "that nothing is there is known too"


ACCEPT = Constraint(ConstraintKind.ACCEPT, anchor(C))
REJECT_B = Constraint(ConstraintKind.REJECT, anchor(B))


@pytest.mark.parametrize(
    ("items", "objects", "full", "rejected", "ignored"),
    [
        ((ACCEPT,), [C, A, B], 1, [], []),
        ((Constraint(ConstraintKind.ACCEPT, anchor(A)),), [A, B], 1, [], []),
        ((Constraint(ConstraintKind.BOX, anchor(A), box=A_MOVED),), [A_MOVED, B], 1, [], []),
        (
            (Constraint(ConstraintKind.ACCEPT, anchor(A)), Constraint(ConstraintKind.BOX, anchor(A), box=A_MOVED)),
            [A_MOVED, B],
            1,
            [],
            [],
        ),
        ((REJECT_B,), [A], 0, [B], []),
        ((Constraint(ConstraintKind.REJECT, anchor(C)),), [A, B], 0, [C], []),
        ((Constraint(ConstraintKind.REJECT, anchor(A_MOVED)),), [A, B], 0, [A_MOVED], []),
        ((REJECT_B, Constraint(ConstraintKind.ACCEPT, anchor(B))), [A], 0, [], [B]),
        ((Constraint(ConstraintKind.CANNOT_LINK, anchor(A), anchor(B)),), [A, B], 0, [], []),
    ],
    ids=[
        "accepted",
        "a track's box",
        "corrected",
        "accepted and corrected",
        "rejected",
        "never tracked",
        "the worse of two",
        "both",
        "no box",
    ],
)
def test_answers_come_before_tracks(
    items: tuple[Constraint, ...], objects: list[Box], full: int, rejected: list[Box], ignored: list[Box]
) -> None:
    first = said(*items)[0]
    assert rows(first.box) == objects
    assert (first.weight == 1).tolist() == [True] * full + [False] * (len(objects) - full)
    assert rows(first.rejected) == rejected
    assert rows(first.ignore)[: len(ignored)] == ignored


def test_both_ends_of_a_link_are_objects() -> None:
    link = Constraint(ConstraintKind.MUST_LINK, anchor(C), anchor(C, frame=3))
    frames = said(link)
    assert [C in rows(frame.box) for frame in frames] == [True, False, False, True]


def test_candidates_on_no_track_are_open_where_they_score_well() -> None:
    candidates = Candidates.build(INFO, np.array([0, 0, 1]), np.array([A, C, C]), np.array([0.9, 0.8, 0.2]))
    first, second, *_ = said(candidates=candidates)
    assert rows(first.ignore) == [C]
    assert len(second.ignore) == 0
    accepted = said(ACCEPT, candidates=candidates)[0]
    assert len(accepted.ignore) == 0


def test_open_questions_of_whether_something_is_an_object_are_ignored() -> None:
    def query(box: Box, doubt: float, kind: QueryKind = QueryKind.DETECTION) -> Query:
        options = ((anchor(A),),) if kind is QueryKind.ASSOCIATION else ()
        return Query(kind, 0, (anchor(box),), options, error_probability=doubt)

    doubted = query(B, 0.6)
    first = said(queries=(doubted, query(A, 0.1), query(A, 0.9, QueryKind.ASSOCIATION)))[0]
    assert rows(first.box) == [A]
    assert B in rows(first.ignore)
    answered = Constraint(ConstraintKind.ACCEPT, anchor(B), query_id=doubted.id)
    first = said(answered, queries=(doubted,))[0]
    assert rows(first.box) == [B, A]
    assert len(first.ignore) == 0
