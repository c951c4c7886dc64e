"""From an answer to the constraints that follow from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.active.anchors import anchors_of
from spam_model.active.answers import changes_labels, constraints_from
from spam_model.active.session import Session
from spam_model.errors import InputError
from spam_model.values import NOTHING, Answer, Box, Constraint, ConstraintKind, Ledger, Query, Topic
from tests.spam_model.active.worlds import anchor, association, detection, drawn, localization, result_of, walk

ACCEPT, REJECT = ConstraintKind.ACCEPT, ConstraintKind.REJECT
MUST, CANNOT = ConstraintKind.MUST_LINK, ConstraintKind.CANNOT_LINK
LINK = association([1, 2, 3], [4, 5], [6], [7, 8])
CASES = [
    ("one box is valid", detection(1), "yes", [(ACCEPT, 1)]),
    ("one box is not", detection(1), "no", [(REJECT, 1)]),
    (
        "a chain is one object",
        detection(1, 2, 3),
        "yes",
        [(ACCEPT, 1), (ACCEPT, 2), (ACCEPT, 3), (MUST, 1, 2), (MUST, 2, 3)],
    ),
    ("a chain is none", detection(1, 2, 3), "no", [(REJECT, 1), (REJECT, 2), (REJECT, 3)]),
    ("a track is an object, its ends may not be", detection(1, 2, 3, level=4), "yes", [(ACCEPT, 2)]),
    ("a whole track is none", detection(1, 2, 3, level=4), "no", [(REJECT, 1), (REJECT, 2), (REJECT, 3)]),
    ("the first option", LINK, "A", [(MUST, 2, 5)]),
    ("the last option", LINK, "C", [(MUST, 2, 8)]),
    ("none of the options", LINK, "nobody", [(CANNOT, 2, 5), (CANNOT, 2, 6), (CANNOT, 2, 8)]),
    ("nothing is there to draw a box around", localization(5), NOTHING, [(REJECT, 5)]),
    ("nothing is there in a gap", drawn(4, 8), NOTHING, []),
    ("nothing is there where a gap was filled", drawn(4, 8, Topic.FILLED), NOTHING, []),
    ("unsure of a box", detection(1), "unsure", []),
    ("unsure of a track", detection(1, 2, level=4), "unsure", []),
    ("unsure of a link", LINK, "unsure", []),
]


@pytest.mark.parametrize(("query", "choice", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_choice_settles_what_it_says(
    query: Query, choice: str, expected: list[tuple[ConstraintKind, int] | tuple[ConstraintKind, int, int]]
) -> None:
    got = constraints_from(query, Answer(query.id, choice))
    assert [(item.kind, *(a.candidate_id for a in (item.first, item.second) if a)) for item in got] == expected
    assert all(item == Constraint(item.kind, item.first, item.second, query_id=query.id) for item in got)


@pytest.mark.parametrize("box", [(0.0, 1.0, 9.0, 9.0), (1.0, 2.0, 30.0, 40.0)], ids=["moved", "left as it was"])
def test_a_rectangle_is_the_box_moved_or_not(box: tuple[float, float, float, float]) -> None:
    query = localization(5)
    (constraint,) = constraints_from(query, Answer(query.id, box=box))
    assert constraint == Constraint(ConstraintKind.BOX, anchor(5), box=box, query_id=query.id)


@pytest.mark.parametrize("topic", [Topic.PLACE, Topic.FILLED])
def test_a_rectangle_in_a_gap_is_a_new_box_of_the_object_on_both_sides(topic: Topic) -> None:
    query, box = drawn(4, 8, topic), (1.0, 2.0, 30.0, 40.0)
    got = constraints_from(query, Answer(query.id, box=box))
    middle = anchor(-5, 6)
    assert middle.is_drawn
    assert not any(one.is_drawn for one in (anchor(4), anchor(0), replace(anchor(4), candidate_id=-1)))
    assert got == (
        Constraint(ConstraintKind.BOX, middle, box=box, query_id=query.id),
        Constraint(MUST, anchor(4), middle, query_id=query.id),
        Constraint(MUST, middle, anchor(8), query_id=query.id),
    )


def about(topic: Topic, expected: str = "") -> Query:
    """A question of this topic; its boxes are those of ``anchor``, 29 × 38 px."""
    query = {
        Topic.CROSSING: LINK,
        Topic.GAP: LINK,
        Topic.NEXT: LINK,
        Topic.FIT: localization(1),
        Topic.PLACE: drawn(4, 8),
        Topic.FILLED: drawn(4, 8, Topic.FILLED),
    }.get(topic, detection(1, 2))
    return replace(query, topic=topic, expected=expected)


def moved(share: float) -> Box:
    """The box of ``anchor``, moved so that it overlaps what it was by this much (IoU)."""
    by = 29 * (1 - share) / (1 + share)
    return (1.0 + by, 2.0, 30.0 + by, 40.0)


CHANGES: list[tuple[Query, dict[str | Box, bool]]] = [
    (about(Topic.TRACK, "yes"), {"yes": False, "no": True, "unsure": False}),
    (about(Topic.DROPPED, "no"), {"yes": True, "no": False, "unsure": False}),
    (about(Topic.RUN, "yes"), {"yes": False, "no": True, "unsure": False}),
    (about(Topic.MISSED, "no"), {"yes": True, "no": False, "unsure": False}),
    (about(Topic.CROSSING, "A"), {"A": False, "B": True, "nobody": True, "unsure": False}),
    (about(Topic.GAP, "B"), {"A": True, "B": False, "C": True, "nobody": True, "unsure": False}),
    (about(Topic.NEXT, "nobody"), {"A": True, "C": True, "nobody": False, "unsure": False}),
    (about(Topic.FIT), {moved(1.0): False, moved(0.71): False, moved(0.69): True, NOTHING: True}),
    (about(Topic.PLACE), {moved(1.0): True, moved(0.3): True, NOTHING: False}),
    (about(Topic.FILLED), {moved(1.0): False, moved(0.51): False, moved(0.49): True, NOTHING: True}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "said", "changes"),
    [
        pytest.param(query, said, changes, id=f"{query.topic}: {said}")
        for query, table in CHANGES
        for said, changes in table.items()
    ],
)
def test_an_answer_changes_the_labels_if_it_says_that_they_are_wrong(
    query: Query, said: str | Box, changes: bool
) -> None:
    answer = Answer(query.id, said) if isinstance(said, str) else Answer(query.id, box=said)
    assert changes_labels(query, answer) is changes


def test_there_is_a_case_for_every_topic() -> None:
    assert {query.topic for query, _ in CHANGES} == set(Topic)


@pytest.mark.parametrize(
    ("query", "choice"),
    [
        (detection(1), "A"),
        (detection(1), ""),
        (detection(1), "YES"),
        (LINK, "D"),
        (LINK, "yes"),
        (localization(1), "yes"),
    ],
)
def test_what_is_no_choice_of_the_question_is_refused(query: Query, choice: str) -> None:
    with pytest.raises(InputError, match=query.id):
        constraints_from(query, Answer(query.id, choice))


@pytest.mark.parametrize(
    "box", [(5.0, 5.0, 5.0, 9.0), (5.0, 9.0, 8.0, 5.0), (0.0, 0.0, float("nan"), 1.0), (0.0, 0.0, float("inf"), 1.0)]
)
def test_a_rectangle_without_an_area_is_refused(box: tuple[float, float, float, float]) -> None:
    query = localization(1)
    with pytest.raises(InputError, match="no area"):
        constraints_from(query, Answer(query.id, box=box))


@st.composite
def answered(draw: st.DrawFn) -> tuple[tuple[Query, ...], list[Answer]]:
    queries = (detection(1), detection(2, 3), detection(4, 5, 6, level=3), LINK, association([8], [9]))
    answers = [Answer(query.id, draw(st.sampled_from(query.choices))) for query in queries]
    return queries, [*answers, Answer(localization(3).id, box=(0.0, 0.0, 5.0, 5.0))]


@given(answered(), st.randoms(), st.integers(1, 6))
def test_answers_in_any_order_and_in_any_batches_settle_the_same(
    world: tuple[tuple[Query, ...], list[Answer]], random: object, size: int
) -> None:
    queries, answers = world
    session = Session(Ledger(full=1000, budget=100)).ask((*queries, localization(3)))
    at_once = session.tell(tuple(answers))
    random.shuffle(answers)  # type: ignore[attr-defined]
    later = session
    for start in range(0, len(answers), size):
        later = later.tell(tuple(answers[start : start + size]))
    assert set(later.constraints.items) == set(at_once.constraints.items)
    assert later.ledger == at_once.ledger


def test_anchors_remember_id_frame_box_and_class_in_the_order_given() -> None:
    candidates = result_of([walk(range(4), (10, 20), (5, 0))], classes=[1]).candidates
    rows = np.array([2, 0])
    got = anchors_of(candidates, rows)
    assert [one.candidate_id for one in got] == candidates.id[rows].tolist()
    assert [one.frame for one in got] == [2, 0]
    assert [one.box for one in got] == [(20, 20, 40, 70), (10, 20, 30, 70)]
    assert {one.class_id for one in got} == {1}
