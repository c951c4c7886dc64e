"""Ids when candidates are made anew, against the pairs that were meant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvat_bridge.lasting_ids import named_ids, with_lasting_ids
from spam_model.active.session import Session
from spam_model.values import (
    Anchor,
    Candidates,
    ClipInfo,
    Constraint,
    ConstraintKind,
    Constraints,
    Ledger,
    Query,
    QueryKind,
)

INFO = ClipInfo("clip", 30, 25.0, 1000, 500, ("person", "car"))


def row_of_boxes(frame: list[int], x: list[float], ids: list[int], class_id: list[int] | None = None) -> Candidates:
    """Boxes of 40 × 80 px."""
    left = np.array(x, np.float64)
    box = np.stack([left, np.zeros(len(x)), left + 40, np.full(len(x), 80.0)], axis=1)
    classes = np.array(class_id or [0] * len(x), np.int64)
    return Candidates.build(INFO, np.array(frame), box, np.full(len(x), 0.5), class_id=classes, id=np.array(ids))


OLD = row_of_boxes([0, 0, 1, 1], [0, 100, 0, 20], [7, 8, 9, 10])


@pytest.mark.parametrize(
    ("new", "ids", "why"),
    [
        (row_of_boxes([0, 0], [101, 2], [7, 8]), [8, 7], "ids of the new detector say nothing"),
        (row_of_boxes([0], [300], [7]), [11], "nothing was there: an id that nobody had"),
        (row_of_boxes([2], [0], [7]), [11], "another frame"),
        (row_of_boxes([0], [0], [7], [1]), [11], "another class"),
        (row_of_boxes([0], [20], [7]), [11], "an IoU of a third"),
        (row_of_boxes([0, 0], [3, 1], [1, 2]), [11, 7], "one to one, the closer"),
        (row_of_boxes([1, 1], [8, 22], [1, 2]), [9, 10], "the best for both together"),
    ],
)
def test_a_new_candidate_has_the_id_of_the_old_one_that_shows_the_same(
    new: Candidates, ids: list[int], why: str
) -> None:
    assert with_lasting_ids(new, OLD).id.tolist() == ids, why


def test_an_id_of_a_question_asked_long_ago_is_not_given_again() -> None:
    asked = Query(QueryKind.DETECTION, 0, (Anchor(40, 0, (0, 0, 9, 9), 0),))
    said = Constraint(ConstraintKind.ACCEPT, Anchor(50, 0, (0, 0, 9, 9), 0))
    session = Session(ledger=Ledger(100, 10), asked=(asked,), constraints=Constraints((said,)))
    assert named_ids(session) == {40, 50}
    assert with_lasting_ids(row_of_boxes([5], [0], [0]), OLD, named_ids(session)).id.tolist() == [51]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6))
def test_in_any_order_and_with_misses_every_id_is_there_once_and_means_what_it_meant(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    frame = np.sort(rng.integers(0, 5, count))
    x = 100.0 * np.arange(count)
    old = row_of_boxes(frame.tolist(), x.tolist(), rng.permutation(200)[:count].tolist())
    stays = rng.random(count) < 0.7
    jitter = rng.uniform(-4, 4, (count, 1)) * np.array([1, 0, 1, 0])
    new = replace(old, box=old.box + jitter, id=rng.permutation(count)).take(stays)
    more = row_of_boxes([5], [0], [10**6])
    new = Candidates.build(
        INFO,
        np.append(new.frame, more.frame),
        np.concatenate([new.box, more.box]),
        np.append(new.score, more.score),
        class_id=np.append(new.class_id, more.class_id),
        id=np.append(new.id, more.id),
    )
    found = with_lasting_ids(new, old)
    assert found.id[:-1].tolist() == old.id[stays].tolist()
    assert found.id[-1] == old.id.max() + 1
