"""What people say, held against what is pushed in the end: the labels of the shipped model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.graph.constraints import resolve
from spam_model.labeler import Labeler
from spam_model.simulation import SimulationConfig, simulate
from spam_model.values import Candidates, Constraint, ConstraintKind, Constraints, LabelResult, Labels
from tests.spam_model.graph.worlds import (
    accept,
    anchor,
    any_constraints,
    cannot_link,
    consistent_constraints,
    must_link,
    random_candidates,
    reject,
)


def two_classes(candidates: Candidates, identity: np.ndarray) -> Candidates:
    info = replace(candidates.info, class_names=("person", "car"))
    return replace(candidates, info=info, class_id=np.abs(identity) % 2)


CROWD = simulate(SimulationConfig(frame_count=24, people=5, duplicate_share=0.5), seed=3)
PEOPLE = CROWD.candidates
STREET = two_classes(PEOPLE, CROWD.identity)  # people and cars, walking in one another's way
DENSE = random_candidates(1, people=5, frames=12, clutter=5)
WORLDS = st.sampled_from([PEOPLE, STREET, DENSE])


@cache
def labeler() -> Labeler:
    return Labeler.load(device="cpu")


def label(candidates: Candidates, *items: Constraint) -> LabelResult:
    return labeler().label(candidates, Constraints(items))


def corrected(candidates: Candidates, row: int, by: float) -> Constraint:
    """Every side moved by a share of the box's size, less than what makes it another box."""
    x1, y1, x2, y2 = candidates.box[row].tolist()
    dx, dy = by * (x2 - x1), by * (y2 - y1)
    return Constraint(ConstraintKind.BOX, anchor(candidates, row), box=(x1 + dx, y1 + dy, x2 + dx, y2 - dy))


@st.composite
def any_answers(draw: st.DrawFn, candidates: Candidates) -> tuple[Constraint, ...]:
    """Of every kind, contradictions included."""
    row, by = st.integers(0, len(candidates) - 1), st.floats(0, 0.1)
    boxes = [corrected(candidates, *drawn) for drawn in draw(st.lists(st.tuples(row, by), max_size=4))]
    return (*draw(any_constraints(candidates)).items, *boxes)


def tracks_by_id(labels: Labels) -> dict[int, int]:
    return dict(zip(labels.candidate_id.tolist(), labels.track.tolist(), strict=True))


def holds(item: Constraint, labels: Labels) -> bool:
    """Whether the labels, as they are pushed, obey the answer."""
    track = tracks_by_id(labels)
    first = track.get(item.first.candidate_id)
    second = track.get(item.second.candidate_id) if item.second else None
    match item.kind:
        case ConstraintKind.ACCEPT:
            return first is not None
        case ConstraintKind.REJECT:
            return first is None
        case ConstraintKind.BOX:
            return labels.box[labels.candidate_id == item.first.candidate_id].tolist() == [list(item.box or ())]
        case ConstraintKind.MUST_LINK:
            return item.first == item.second or (first is not None and first == second)
        case ConstraintKind.CANNOT_LINK:
            return first is None or first != second


def assert_same(one: LabelResult, other: LabelResult) -> None:
    for field in fields(Labels):
        if field.name != "info":
            assert np.array_equal(getattr(one.labels, field.name), getattr(other.labels, field.name)), field.name
    assert one.conflicts == other.conflicts


@settings(deadline=None, max_examples=25)
@given(st.data(), WORLDS)
def test_what_a_person_knows_shows_in_the_labels(data: st.DataObject, candidates: Candidates) -> None:
    """No must-link broken, no cannot-link joined, no rejected candidate shown, no accepted or corrected one missing."""
    items = [
        corrected(
            candidates, int(candidates.rows_of(np.array([item.first.candidate_id]))[0]), data.draw(st.floats(0, 0.1))
        )
        if item.kind is ConstraintKind.ACCEPT and data.draw(st.booleans())
        else item
        for item in data.draw(consistent_constraints(candidates)).items
    ]
    result = label(candidates, *items)
    assert result.conflicts == ()
    assert result.unmatched == ()
    assert [item for item in items if not holds(item, result.labels)] == []
    for number in result.labels.track_ids:
        assert len(set(result.labels.class_id[result.labels.rows(number)])) == 1


@settings(deadline=None, max_examples=20)
@given(st.data(), WORLDS)
def test_an_answer_that_is_not_obeyed_is_reported(data: st.DataObject, candidates: Candidates) -> None:
    """By its candidate, or one that must-links chain it to. But a no outweighs a drawn box, without a word."""
    items = data.draw(any_answers(candidates))
    result = label(candidates, *items)
    reported = {int(id) for text in result.conflicts for id in re.findall(r"candidate (\d+)", text)}
    links = [(item.first.candidate_id, item.second.candidate_id) for item in items if item.second]
    for _ in links:  # the candidates chained to a reported one
        reported |= {id for link in links if reported & set(link) for id in link}
    rejected = {item.first.candidate_id for item in items if item.kind is ConstraintKind.REJECT}
    broken = [item for item in items if not holds(item, result.labels)]
    outweighed = [item for item in broken if item.kind is ConstraintKind.BOX and item.first.candidate_id in rejected]
    assert {item.first.candidate_id for item in broken if item not in outweighed} <= reported


@settings(deadline=None, max_examples=12)
@given(st.data(), WORLDS, st.randoms(use_true_random=False))
def test_answers_in_any_order_give_the_same_labels(  # type: ignore[no-untyped-def]
    data: st.DataObject, candidates: Candidates, random
) -> None:
    items = list(data.draw(any_answers(candidates)))
    shuffled = items + items[:2]  # what is said twice is said once
    random.shuffle(shuffled)
    assert_same(label(candidates, *items), label(candidates, *shuffled))


@settings(deadline=None, max_examples=12)
@given(st.data(), WORLDS)
def test_what_is_in_force_gives_the_same_labels_in_a_later_run(data: st.DataObject, candidates: Candidates) -> None:
    constraints = Constraints(data.draw(any_answers(candidates)))
    before = labeler().label(candidates, constraints)
    after = labeler().label(candidates, resolve(candidates, constraints).in_force)
    assert after.conflicts == ()
    assert_same(replace(before, conflicts=()), after)


def tracked_pair() -> tuple[int, int]:
    """Two rows of one track, far apart in time."""
    track = label(STREET).hierarchy.track_of
    members = np.flatnonzero(track == np.argmax(np.bincount(track[track >= 0])))
    return int(members[0]), int(members[-1])


def strangers() -> tuple[int, int]:
    """Two rows of one class in one frame."""
    cell = STREET.frame * 2 + STREET.class_id
    a, b = np.flatnonzero(cell == np.argmax(np.bincount(cell)))[:2]
    return int(a), int(b)


def chained(a: int, b: int) -> tuple[Constraint, ...]:
    """Both linked to a third, of another frame."""
    third = next(
        row
        for row in range(len(STREET))
        if STREET.class_id[row] == STREET.class_id[a] and STREET.frame[row] > STREET.frame[b]
    )
    return must_link(STREET, a, third), must_link(STREET, third, b)


CONTRADICTIONS: list[tuple[str, Callable[[int, int], tuple[Constraint, ...]], Callable[[], tuple[int, int]], str]] = [
    ("yes and no", lambda a, _: (accept(STREET, a), reject(STREET, a)), tracked_pair, "accepted and rejected"),
    ("a link to a no", lambda a, b: (must_link(STREET, a, b), reject(STREET, b)), tracked_pair, "is rejected"),
    ("same and not", lambda a, b: (must_link(STREET, a, b), cannot_link(STREET, b, a)), tracked_pair, "said to differ"),
    ("same in a chain and not", lambda a, b: (*chained(a, b), cannot_link(STREET, a, b)), strangers, "said to differ"),
    ("two at once", chained, strangers, "lie in one frame"),
    ("another than itself", lambda a, _: (cannot_link(STREET, a, a),), tracked_pair, "different object from itself"),
    (
        "a person that is a car",
        lambda a, _: (must_link(STREET, a, int(np.flatnonzero(STREET.class_id != STREET.class_id[a])[-1])),),
        tracked_pair,
        "different classes",
    ),
    (
        "two boxes",
        lambda a, _: (corrected(STREET, a, 0.01), corrected(STREET, a, 0.02)),
        tracked_pair,
        "2 different corrected boxes",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("contradiction", "pair", "said"), [case[1:] for case in CONTRADICTIONS], ids=[case[0] for case in CONTRADICTIONS]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_contradiction_among_sound_answers_is_said_and_the_others_hold(
    contradiction: Callable[[int, int], tuple[Constraint, ...]],
    pair: Callable[[], tuple[int, int]],
    said: str,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    a, b = pair()
    items = contradiction(a, b)
    named = {anchor.candidate_id for item in items for anchor in (item.first, item.second) if anchor}
    free = rng.permutation([row for row in range(len(STREET)) if int(STREET.id[row]) not in named])[:12].tolist()
    sound = [accept(STREET, row) for row in free[:4]] + [reject(STREET, row) for row in free[4:]]
    result = label(STREET, *sound, *items)
    assert len(result.conflicts) >= 1
    assert all(said in text or "is rejected" in text for text in result.conflicts)
    assert any(said in text for text in result.conflicts)
    assert any(f"candidate {id} " in text for text in result.conflicts for id in named)
    assert [item for item in sound if not holds(item, result.labels)] == []


def fresh_ids(candidates: Candidates, rng: np.random.Generator) -> Candidates:
    return replace(candidates, id=10**6 + rng.permutation(len(candidates)))


def moved_on_ids(candidates: Candidates, rng: np.random.Generator) -> Candidates:
    """Every id names a candidate of another frame now."""
    return replace(candidates, id=np.roll(candidates.id, int(np.bincount(candidates.frame).max())))


@pytest.mark.parametrize("change", [fresh_ids, moved_on_ids])
@settings(deadline=None, max_examples=8)
@given(data=st.data(), candidates=WORLDS, seed=st.integers(0, 1000))
def test_answers_find_their_candidates_under_other_ids(
    change: Callable[[Candidates, np.random.Generator], Candidates],
    data: st.DataObject,
    candidates: Candidates,
    seed: int,
) -> None:
    constraints = Constraints(data.draw(any_answers(candidates)))
    renamed = change(candidates, np.random.default_rng(seed))
    before, after = (labeler().label(these, constraints) for these in (candidates, renamed))
    new_id = dict(zip(candidates.id.tolist(), renamed.id.tolist(), strict=True)) | {-1: -1}
    expected = np.array([new_id[id] for id in before.labels.candidate_id.tolist()])
    assert_same(
        replace(before, labels=replace(before.labels, candidate_id=expected), conflicts=()),
        replace(after, conflicts=()),
    )
    assert len(after.conflicts) == len(before.conflicts)


@settings(deadline=None, max_examples=10)
@given(st.data(), WORLDS, st.integers(0, 1000))
def test_answers_hold_for_what_a_new_detector_finds(data: st.DataObject, candidates: Candidates, seed: int) -> None:
    """Other ids, boxes a little off, some gone: an answer is in force, or its box is gone."""
    rng = np.random.default_rng(seed)
    constraints = data.draw(consistent_constraints(candidates))
    stays = rng.random(len(candidates)) < 0.8
    jitter = rng.uniform(-0.02, 0.02, (len(candidates), 4)) * np.tile(candidates.box[:, 2:] - candidates.box[:, :2], 2)
    found = replace(fresh_ids(candidates, rng), box=candidates.box + jitter).take(stays)
    result = labeler().label(found, constraints)
    gone = set(candidates.id[~stays].tolist())
    for item in result.unmatched:
        assert gone & {anchor.candidate_id for anchor in (item.first, item.second) if anchor}
    in_force = resolve(found, constraints).in_force
    assert len(in_force) > 0 or len(result.unmatched) + len(result.conflicts) > 0 or len(constraints) == 0
    assert [item for item in in_force.items if not holds(item, result.labels)] == []
