from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.graph.constraints import ResolvedConstraints, resolve, with_drawn_boxes
from spam_model.values import Anchor, Box, Candidates, ClipInfo, Constraint, ConstraintKind, Constraints, Source
from tests.spam_model.graph.worlds import (
    accept,
    anchor,
    any_constraints,
    cannot_link,
    must_link,
    random_candidates,
    reject,
)

RANDOM = random_candidates(0, people=4, frames=10, classes=2)


def row_of_boxes(*frames: int, classes: tuple[int, ...] | None = None) -> Candidates:
    """One box per entry, side by side; row k is entry k."""
    count = len(frames)
    x = 50.0 * np.arange(count)
    box = np.stack([x, np.zeros(count), x + 40, np.full(count, 80.0)], axis=1)
    info = ClipInfo("row", 20, 25.0, 1000, 100, ("a", "b"))
    ids = 100 + np.arange(count)
    class_id = np.array(classes) if classes else np.zeros(count, np.int64)
    return Candidates.build(info, np.array(frames), box, np.full(count, 0.5), class_id=class_id, id=ids)


def corrected(candidates: Candidates, row: int, box: Box) -> Constraint:
    return Constraint(ConstraintKind.BOX, anchor(candidates, row), box=box)


def of(*items: Constraint) -> Constraints:
    return Constraints(items)


CHAIN = row_of_boxes(0, 1, 2, 3, 3, classes=None)


@pytest.mark.parametrize(
    ("items", "conflict", "must", "cannot"),
    [
        ([must_link(CHAIN, 0, 1), must_link(CHAIN, 1, 2)], None, [(0, 1), (1, 2)], []),
        ([must_link(CHAIN, 0, 1), cannot_link(CHAIN, 1, 2)], None, [(0, 1)], [(1, 2)]),
        ([accept(CHAIN, 0), reject(CHAIN, 0)], "accepted and rejected", [], []),
        ([must_link(CHAIN, 0, 1), reject(CHAIN, 1)], "is rejected", [], []),
        ([must_link(CHAIN, 0, 1), cannot_link(CHAIN, 0, 1)], "said to differ", [], []),
        ([must_link(CHAIN, 0, 1), must_link(CHAIN, 1, 2), cannot_link(CHAIN, 0, 2)], "said to differ", [], []),
        ([must_link(CHAIN, 3, 4)], "lie in one frame", [], []),
        ([must_link(CHAIN, 0, 3), must_link(CHAIN, 0, 4)], "lie in one frame", [], []),
        (
            [must_link(CHAIN, 0, 1), must_link(CHAIN, 1, 2), must_link(CHAIN, 2, 3), cannot_link(CHAIN, 1, 2)],
            "said to differ",
            [(0, 1), (2, 3)],
            [],
        ),
        ([cannot_link(CHAIN, 1, 1)], "different object from itself", [], []),
        ([corrected(CHAIN, 0, (0, 0, 41, 80)), corrected(CHAIN, 0, (0, 0, 42, 80))], "corrected boxes", [], []),
    ],
)  # fmt: skip
def test_contradictions_are_set_aside_and_said(items: list, conflict: str | None, must: list, cannot: list) -> None:
    resolved = resolve(CHAIN, of(*items))
    if conflict is None:
        assert resolved.conflicts == ()
    else:
        assert len(resolved.conflicts) == 1
        assert conflict in resolved.conflicts[0]
        assert "candidate 10" in resolved.conflicts[0]
    assert [tuple(pair) for pair in resolved.must.tolist()] == must
    assert [tuple(pair) for pair in resolved.cannot.tolist()] == cannot


def test_a_link_between_classes_is_a_contradiction() -> None:
    candidates = row_of_boxes(0, 1, classes=(0, 1))
    assert "different classes" in resolve(candidates, of(must_link(candidates, 0, 1))).conflicts[0]


def test_a_corrected_box_takes_the_place_of_the_detected_one() -> None:
    resolved = resolve(CHAIN, of(corrected(CHAIN, 2, (100.0, 1.0, 139.0, 78.0))))
    assert resolved.box[2].tolist() == [100.0, 1.0, 139.0, 78.0]
    assert resolved.fixed.tolist() == [False, False, True, False, False]
    assert np.array_equal(np.delete(resolved.box, 2, axis=0), np.delete(CHAIN.box, 2, axis=0))


def moved(by: float) -> Candidates:
    return replace(CHAIN, box=CHAIN.box + np.array([by, 0, by, 0]))


def renamed(by: float) -> Candidates:
    return replace(moved(by), id=CHAIN.id + 1000)


@pytest.mark.parametrize(
    ("change", "by", "row", "why"),
    [
        (moved, 5.0, 1, "the same id, nearly the same box"),
        (renamed, 5.0, 1, "another id, nearly the same box"),
        (moved, 25.0, -1, "the same id, but the box is elsewhere, and no other fits"),
        (renamed, 25.0, -1, "nothing fits"),
    ],
)
def test_anchors_find_their_candidate_again(change: Callable, by: float, row: int, why: str) -> None:
    item = accept(CHAIN, 1)
    resolved = resolve(change(by), of(item))
    assert np.flatnonzero(resolved.fixed).tolist() == ([row] if row >= 0 else []), why
    assert resolved.unmatched == (() if row >= 0 else (item,))


def test_an_id_in_other_hands_is_not_believed() -> None:
    """Candidates were made anew, and the ids went round by one."""
    item = accept(CHAIN, 1)
    resolved = resolve(replace(CHAIN, id=np.roll(CHAIN.id, 1)), of(item))
    assert np.flatnonzero(resolved.fixed).tolist() == [1]


@pytest.mark.parametrize(
    ("by", "row", "why"),
    [
        (0.0, 1, "the same box"),
        (1.5, 1, "an IoU of 0.93"),
        (-1.5, 1, "to the other side"),
        (4.0, -1, "an IoU of 0.82: perhaps a better box around an object"),
        (25.0, -1, "nothing is there any more"),
    ],
)
@pytest.mark.parametrize("change", [moved, renamed])
def test_a_no_takes_a_closer_look_than_a_yes(change: Callable, by: float, row: int, why: str) -> None:
    item = reject(CHAIN, 1)
    resolved = resolve(change(by), of(item))
    assert np.flatnonzero(resolved.rejected).tolist() == ([row] if row >= 0 else []), why
    assert resolved.unmatched == (() if row >= 0 else (item,))


@pytest.mark.parametrize(
    ("vouched", "rejected", "why"),
    [
        (lambda box: [Constraint(ConstraintKind.ACCEPT, Anchor(7, 1, box, 0))], [], "accepted"),
        (lambda box: [Constraint(ConstraintKind.BOX, Anchor(7, 1, box, 0), box=(0, 0, 9, 9))], [], "corrected"),
        (lambda box: [Constraint(ConstraintKind.MUST_LINK, Anchor(7, 1, box, 0), anchor(CHAIN, 2))], [], "linked"),
        (lambda box: [drawn(-9, 1, box)], [], "drawn"),
        (lambda box: [Constraint(ConstraintKind.ACCEPT, Anchor(7, 1, box, 1))], [1], "of another class"),
        (lambda box: [Constraint(ConstraintKind.ACCEPT, Anchor(7, 2, box, 0))], [1], "in another frame"),
        (
            lambda box: [Constraint(ConstraintKind.CANNOT_LINK, Anchor(7, 1, box, 0), anchor(CHAIN, 2))],
            [1],
            "no object",
        ),
    ],
)
def test_a_no_does_not_pass_to_the_box_of_an_object(vouched: Callable, rejected: list[int], why: str) -> None:
    """A duplicate was rejected; the new detector draws one box, closer to the one that people vouched for."""
    x1, y1, x2, y2 = CHAIN.box[1].tolist()
    duplicate = Constraint(ConstraintKind.REJECT, Anchor(8, 1, (x1 + 1.5, y1, x2 + 1.5, y2), 0))
    items = [duplicate, *vouched((x1 - 0.5, y1, x2 - 0.5, y2))]
    for given_items in (items, items[::-1]):
        resolved = resolve(CHAIN, of(*given_items))
        assert np.flatnonzero(resolved.rejected).tolist() == rejected, why
        assert resolved.conflicts == ()
    assert resolve(CHAIN, of(duplicate)).rejected[1]


def test_an_id_is_not_believed_where_another_candidate_fits_better() -> None:
    """Candidates were made anew, and the id has passed to a box that overlaps the old one by half."""
    box = np.array([[0.0, 0, 40, 80], [12, 0, 52, 80]])
    two = Candidates.build(CHAIN.info, np.zeros(2, np.int64), box, np.full(2, 0.5), id=np.array([100, 101]))
    item = Constraint(ConstraintKind.ACCEPT, Anchor(100, 0, (12.0, 0.0, 52.0, 80.0), 0))
    assert np.flatnonzero(resolve(two, of(item)).fixed).tolist() == [1]


def test_a_correction_goes_with_its_box_and_not_with_its_id() -> None:
    """Candidates were made anew, and the id has passed to somebody else in the same frame."""
    before, after = (0.0, 0.0, 40.0, 80.0), (4.0, 0.0, 44.0, 80.0)
    box = np.array([[300.0, 0, 340, 80], [1, 0, 41, 80]])
    two = Candidates.build(CHAIN.info, np.zeros(2, np.int64), box, np.full(2, 0.5), id=np.array([100, 101]))
    first = Constraint(ConstraintKind.BOX, Anchor(100, 0, before, 0), box=after)
    later = Constraint(ConstraintKind.ACCEPT, Anchor(100, 0, after, 0))
    resolved = resolve(two, of(first, later))
    assert np.flatnonzero(resolved.fixed).tolist() == [1]
    assert resolved.box.tolist() == [[300.0, 0.0, 340.0, 80.0], list(after)]


def test_an_answer_about_a_corrected_box_finds_the_detected_one() -> None:
    box = (50.0, -70.0, 90.0, 10.0)
    later = Constraint(ConstraintKind.REJECT, Anchor(101, 1, box, 0))
    resolved = resolve(CHAIN, of(corrected(CHAIN, 1, box), accept(CHAIN, 1), later))
    assert "accepted and rejected" in resolved.conflicts[0]


def test_what_is_in_force_resolves_to_itself() -> None:
    items = [must_link(CHAIN, 0, 1), cannot_link(CHAIN, 1, 2), reject(CHAIN, 3), corrected(CHAIN, 2, (99, 0, 139, 80))]
    first = resolve(CHAIN, of(*items))
    assert_same(first, resolve(CHAIN, first.in_force))


@settings(deadline=None, max_examples=40)
@given(any_constraints(RANDOM), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_never_matters(constraints: Constraints, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(constraints.items)
    random.shuffle(shuffled)
    assert_same(resolve(RANDOM, constraints), resolve(RANDOM, of(*shuffled)))


@settings(deadline=None, max_examples=40)
@given(any_constraints(RANDOM))
def test_what_is_in_force_holds_no_contradiction(constraints: Constraints) -> None:
    resolved = resolve(RANDOM, constraints)
    assert not (resolved.fixed & resolved.rejected).any()
    component = {row: {row} for row in range(len(RANDOM))}
    for a, b in resolved.must.tolist():
        union = component[a] | component[b]
        for row in union:
            component[row] = union
    assert all(b not in component[a] for a, b in resolved.cannot.tolist())
    for rows in component.values():
        frames = RANDOM.frame[sorted(rows)]
        assert len(set(frames.tolist())) == len(frames)
    again = resolve(RANDOM, resolved.in_force)
    assert again.conflicts == ()


def assert_same(a: ResolvedConstraints, b: ResolvedConstraints) -> None:
    for name in ("box", "fixed", "rejected", "must", "cannot"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name


def test_a_box_that_a_person_confirmed_is_drawn_like_one_that_was_moved() -> None:
    x1, y1, x2, y2 = (float(value) for value in CHAIN.box[2])
    resolved = resolve(CHAIN, of(corrected(CHAIN, 2, (x1, y1, x2, y2)), corrected(CHAIN, 1, (1.0, 2.0, 50.0, 80.0))))
    assert resolved.drawn.tolist() == [False, True, True, False, False]
    assert len(resolved.in_force.of_kind(ConstraintKind.BOX)) == 2


def test_a_no_counts_more_than_the_yes_that_a_drawn_box_implies() -> None:
    resolved = resolve(CHAIN, of(reject(CHAIN, 1), corrected(CHAIN, 1, (1.0, 2.0, 50.0, 80.0))))
    assert resolved.conflicts == ()
    assert resolved.rejected[1]
    assert not resolved.fixed[1]
    assert np.array_equal(resolved.box, CHAIN.box)


def told(query_id: str, *items: Constraint) -> list[Constraint]:
    """By one answer."""
    return [replace(item, query_id=query_id) for item in items]


WHOLE = told("track", reject(CHAIN, 0), reject(CHAIN, 1), reject(CHAIN, 2))


@pytest.mark.parametrize(
    ("items", "rejected", "fixed", "conflicts", "reason"),
    [
        (WHOLE, [0, 1, 2], [], 0, "a track that is no object"),
        ([*WHOLE, accept(CHAIN, 1)], [0, 2], [1], 1, "one of its boxes was accepted"),
        ([*WHOLE, must_link(CHAIN, 1, 3)], [0, 2], [1, 3], 1, "one of its boxes is linked to another"),
        ([*WHOLE, corrected(CHAIN, 1, (51, 0, 91, 80))], [0, 2], [1], 1, "one of its boxes was redrawn"),
        ([*WHOLE, cannot_link(CHAIN, 1, 3)], [0, 1, 2], [], 0, "that another object is none of it says nothing"),
        ([*WHOLE, *told("box", reject(CHAIN, 1)), accept(CHAIN, 1)], [0, 2], [], 1, "it was rejected alone as well"),
        ([*told("box", reject(CHAIN, 1)), must_link(CHAIN, 1, 3)], [1], [], 1, "rejected alone"),
    ],
)
def test_a_box_that_was_rejected_with_its_track_stays_where_it_is_named_elsewhere(
    items: list[Constraint], rejected: list[int], fixed: list[int], conflicts: int, reason: str
) -> None:
    for given_items in (items, items[::-1]):
        resolved = resolve(CHAIN, of(*given_items))
        assert np.flatnonzero(resolved.rejected).tolist() == rejected, reason
        assert np.flatnonzero(resolved.fixed).tolist() == fixed, reason
        assert len(resolved.conflicts) == conflicts, reason


def test_a_track_that_was_rejected_stays_one_where_the_new_detector_finds_a_single_box_of_it() -> None:
    resolved = resolve(CHAIN.take(np.array([1, 3])), of(*WHOLE, must_link(CHAIN, 1, 3)))
    assert np.flatnonzero(resolved.fixed).tolist() == [0, 1]
    assert "rejected with its whole track" in resolved.conflicts[0]


def drawn(number: int, frame: int, box: Box, class_id: int = 0) -> Constraint:
    """Drawn where there was no candidate; what was proposed is half as large."""
    x1, y1, _, _ = box
    return Constraint(ConstraintKind.BOX, Anchor(number, frame, (x1, y1, x1 + 10, y1 + 10), class_id), box=box)


BOX = (300.0, 0.0, 340.0, 80.0)


def test_a_drawn_box_is_a_candidate_of_its_own() -> None:
    given_boxes = of(drawn(-7, 2, BOX), drawn(-9, 0, BOX, class_id=1))
    candidates = with_drawn_boxes(CHAIN, given_boxes)
    assert candidates.frame.tolist() == [0, 0, 1, 2, 2, 3, 3]
    assert candidates.id.tolist() == [100, -9, 101, 102, -7, 103, 104]
    new = candidates.rows_of(np.array([-9, -7]))
    assert candidates.box[new].tolist() == [list(BOX)] * 2
    assert candidates.class_id[new].tolist() == [1, 0]
    assert candidates.source[new].tolist() == [Source.PERSON] * 2
    assert candidates.score[new].tolist() == [1.0, 1.0]
    for name in ("frame", "box", "score", "class_id", "source", "id"):
        others = np.delete(getattr(candidates, name), new, axis=0)
        assert np.array_equal(others, getattr(CHAIN, name)), name
    resolved = resolve(candidates, given_boxes)
    assert (resolved.conflicts, resolved.unmatched) == ((), ())
    assert np.flatnonzero(resolved.drawn).tolist() == new.tolist()
    assert resolved.box[new].tolist() == [list(BOX)] * 2


def test_a_drawn_box_is_found_by_its_number_alone() -> None:
    """Later questions know it by the box that was drawn, this one by the box that was proposed."""
    item = drawn(-7, 2, BOX)
    later = Constraint(ConstraintKind.MUST_LINK, anchor(CHAIN, 0), Anchor(-7, 2, BOX, 0))
    candidates = with_drawn_boxes(CHAIN, of(item, later))
    resolved = resolve(candidates, of(item, later))
    assert resolved.must.tolist() == [[0, int(candidates.rows_of(np.array([-7]))[0])]]
    assert resolve(CHAIN, of(later)).unmatched == (later,), "nobody drew it: no candidate beside it is meant"


@pytest.mark.parametrize(
    ("items", "count", "reason"),
    [
        ([], 0, "nothing was drawn"),
        ([drawn(-7, 2, BOX)] * 2, 1, "said twice"),
        ([drawn(-7, 2, BOX), drawn(-7, 2, (301.0, 0.0, 340.0, 80.0))], 1, "drawn twice: a contradiction, one box"),
        ([drawn(-7, 20, BOX)], 0, "after the clip's end"),
        ([corrected(CHAIN, 1, (51, 0, 91, 80))], 0, "a correction of a candidate"),
        ([Constraint(ConstraintKind.ACCEPT, Anchor(-7, 2, BOX, 0))], 0, "accepted, but nobody drew it"),
    ],
)
def test_each_drawn_box_is_there_once(items: list[Constraint], count: int, reason: str) -> None:
    for given_items in (items, items[::-1]):
        candidates = with_drawn_boxes(CHAIN, of(*given_items))
        assert len(candidates) - len(CHAIN) == count, reason
        assert np.array_equal(candidates.box, with_drawn_boxes(CHAIN, of(*items)).box)
    again = with_drawn_boxes(candidates, of(*items))
    assert np.array_equal(again.id, candidates.id), "they are added once"


def test_drawn_boxes_have_no_appearance() -> None:
    seen = replace(CHAIN, embedding=np.ones((5, 3), np.float32))
    assert with_drawn_boxes(seen, of(drawn(-7, 1, BOX))).embedding.tolist() == [[1] * 3] * 2 + [[0] * 3] + [[1] * 3] * 3
