"""What people deleted, and what only looks so."""

from __future__ import annotations

from cvat_bridge.diff import deleted_identities
from tests.cvat_bridge.builders import PERSON, PLAIN_PERSON, as_pushed, by_hand, keyframe, part, straight

BY_ID = {PERSON.id: PERSON}
FIRST = part(1, [keyframe(0, 10), keyframe(20, 50)])
SECOND = part(2, [keyframe(0, 110), keyframe(20, 150)])
CONFIRMED = {FIRST.digest: 1, SECOND.digest: 2}


def test_a_track_that_is_gone_was_deleted() -> None:
    assert deleted_identities(CONFIRMED, (as_pushed(FIRST),), BY_ID) == {2}


def test_nothing_is_deleted_while_everything_stands() -> None:
    assert deleted_identities(CONFIRMED, (as_pushed(FIRST), as_pushed(SECOND)), BY_ID) == frozenset()


def test_an_edited_track_is_not_deleted() -> None:
    edited = as_pushed(SECOND).model_copy(update={"source": "semi-auto", "shapes": by_hand(straight(0, 9)).shapes})
    assert deleted_identities(CONFIRMED, (as_pushed(FIRST), edited), BY_ID) == frozenset()


def test_where_the_label_has_no_attributes_an_edit_counts_as_a_deletion_of_ours() -> None:
    """Ours is then not pushed again over the edited one."""
    plain = {PLAIN_PERSON.id: PLAIN_PERSON}
    edited = by_hand(straight(0, 9), source="semi-auto")
    assert deleted_identities(CONFIRMED, (as_pushed(FIRST, label=PLAIN_PERSON), edited), plain) == {2}


def test_what_never_read_back_cannot_have_been_deleted() -> None:
    assert deleted_identities({}, (), BY_ID) == frozenset()
