"""Constraints: what each kind holds, and a list that only grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.values import Anchor, Box, Constraint, ConstraintKind, Constraints
from tests.spam_model.active.worlds import anchor

BOX = (1.0, 2.0, 3.0, 4.0)
constraints = st.one_of(
    st.builds(lambda i: Constraint(ConstraintKind.ACCEPT, anchor(i)), st.integers(0, 5)),
    st.builds(lambda i: Constraint(ConstraintKind.REJECT, anchor(i)), st.integers(0, 5)),
    st.builds(lambda i, j: Constraint(ConstraintKind.MUST_LINK, anchor(i), anchor(j)), *[st.integers(0, 3)] * 2),
)


@pytest.mark.parametrize(
    ("kind", "second", "box", "message"),
    [
        (ConstraintKind.ACCEPT, anchor(2), None, "one anchor"),
        (ConstraintKind.BOX, anchor(2), BOX, "one anchor"),
        (ConstraintKind.MUST_LINK, None, None, "two anchors"),
        (ConstraintKind.CANNOT_LINK, None, None, "two anchors"),
        (ConstraintKind.BOX, None, None, "a box belongs"),
        (ConstraintKind.REJECT, None, BOX, "a box belongs"),
        (ConstraintKind.MUST_LINK, anchor(2), BOX, "a box belongs"),
    ],
)
def test_a_constraint_of_the_wrong_shape_is_refused(
    kind: ConstraintKind, second: Anchor | None, box: Box | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Constraint(kind, anchor(1), second, box)


@given(st.lists(constraints), st.lists(constraints))
def test_the_list_keeps_its_order_grows_and_holds_nothing_twice(
    first: list[Constraint], more: list[Constraint]
) -> None:
    before = Constraints().plus(tuple(first))
    after = before.plus(tuple(more))
    assert after.items[: len(before)] == before.items
    assert set(after.items) == set(first) | set(more)
    assert len(after) == len(set(after.items))
    assert after.plus(tuple(first + more)) == after


def test_kinds_are_picked_in_order() -> None:
    accept, reject = Constraint(ConstraintKind.ACCEPT, anchor(1)), Constraint(ConstraintKind.REJECT, anchor(2))
    link = Constraint(ConstraintKind.MUST_LINK, anchor(3), anchor(4))
    items = Constraints((link, reject, accept))
    assert items.of_kind(ConstraintKind.ACCEPT, ConstraintKind.MUST_LINK) == (link, accept)
    assert items.of_kind(ConstraintKind.CANNOT_LINK) == ()
