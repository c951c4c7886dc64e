"""Whose a track is: ours only while it is exactly as we wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvat_bridge.ownership import digest_of, is_ours, mark_of
from cvat_bridge.wire import AttributeValue, Track
from tests.cvat_bridge import builders
from tests.cvat_bridge.builders import PERSON, PLAIN_PERSON, as_pushed, keyframe, part

hundredths = st.integers(-20_000, 20_000).map(lambda value: value / 100)
boxes = st.tuples(hundredths, hundredths, hundredths, hundredths)


def changed(track: Track, **fields: Any) -> Track:
    return track.model_copy(update=fields)


def with_shape(track: Track, position: int, **fields: Any) -> Track:
    shapes = list(track.shapes)
    shapes[position] = shapes[position].model_copy(update=fields)
    return changed(track, shapes=tuple(shapes))


def with_value(track: Track, spec: int, value: str) -> Track:
    kept = tuple(attribute for attribute in track.attributes if attribute.spec_id != spec)
    return changed(track, attributes=(*kept, AttributeValue(spec_id=spec, value=value)))


PUSHED = as_pushed(part(7, [keyframe(0, 10), keyframe(9, 30, occluded=True), keyframe(20, 50, outside=True)]))


@given(corners=st.lists(boxes, min_size=1, max_size=5), noise=st.floats(-0.0049, 0.0049), data=st.data())
def test_a_digest_does_not_move_with_the_order_of_shapes_or_the_last_bits_of_a_float(
    corners: list[tuple[float, float, float, float]], noise: float, data: st.DataObject
) -> None:
    mine = part(1, [keyframe(3 * i, 0) for i in range(len(corners))])
    track = as_pushed(mine)
    exact = changed(
        track, shapes=tuple(s.model_copy(update={"points": c}) for s, c in zip(track.shapes, corners, strict=True))
    )
    noisy = tuple(
        shape.model_copy(update={"points": tuple(value + noise for value in shape.points)}) for shape in exact.shapes
    )
    shuffled = tuple(data.draw(st.permutations(noisy)))
    assert digest_of(changed(exact, shapes=shuffled)) == digest_of(exact)


def test_there_is_no_negative_zero_in_a_digest() -> None:
    at_zero = with_shape(PUSHED, 0, points=(0.0, 0.0, 40.0, 130.0))
    assert digest_of(with_shape(PUSHED, 0, points=(-0.004, -0.0, 40.0, 130.0))) == digest_of(at_zero)


def test_what_we_pushed_is_ours_as_it_comes_back() -> None:
    assert is_ours(PUSHED, PERSON, frozenset())


def test_new_ids_after_a_split_or_an_update_do_not_make_it_a_persons() -> None:
    assert is_ours(changed(PUSHED, id=999), PERSON, frozenset())


EDITS: dict[str, Callable[[Track], Track]] = {
    "moves a corner by a pixel": lambda t: with_shape(t, 1, points=(31.0, 50.0, 70.0, 130.0)),
    "hides it": lambda t: with_shape(t, 1, outside=True),
    "says that it is occluded": lambda t: with_shape(t, 0, occluded=True),
    "turns it": lambda t: with_shape(t, 0, rotation=15.0),
    "adds a keyframe": lambda t: changed(
        t, shapes=(*t.shapes, t.shapes[0].model_copy(update={"frame": 5, "points": (20.0, 50.0, 60.0, 130.0)}))
    ),
    "takes a keyframe out": lambda t: changed(t, shapes=t.shapes[:-1]),
    "gives it another label": lambda t: changed(t, label_id=2),
    "groups it": lambda t: changed(t, group=3),
    "sets an attribute of the track": lambda t: with_value(t, builders.TEAM_SPEC, "b"),
    "sets an attribute of a shape": lambda t: with_shape(
        t, 1, attributes=(AttributeValue(spec_id=builders.POSE_SPEC, value="true"),)
    ),
    "writes something else into the mark": lambda t: with_value(t, builders.ID_SPEC, "hello"),
    "changes the mark's digest": lambda t: with_value(t, builders.ID_SPEC, "7 r1 0123456789ab"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=list(EDITS))
def test_the_track_is_a_persons_as_soon_as_one(edit: Callable[[Track], Track]) -> None:
    """Even where the page leaves ``source`` at ``auto``, and even where the journal knows the digest."""
    edited = edit(PUSHED)
    written = frozenset({digest_of(PUSHED)})
    label = PERSON if edited.label_id == PERSON.id else PERSON.model_copy(update={"id": 2})
    assert not is_ours(edited, label, written)


@pytest.mark.parametrize("source", ["manual", "semi-auto", "file", "consensus", "", None])
def test_every_source_but_auto_is_a_persons(source: str | None) -> None:
    assert not is_ours(changed(PUSHED, source=source), PERSON, frozenset({digest_of(PUSHED)}))


def test_without_a_mark_the_journal_decides() -> None:
    plain = as_pushed(part(7), label=PLAIN_PERSON)
    assert is_ours(plain, PLAIN_PERSON, frozenset({digest_of(plain)}))
    assert not is_ours(plain, PLAIN_PERSON, frozenset())


def test_tracks_pushed_before_the_label_got_its_attributes_stay_ours() -> None:
    before_init = with_value(as_pushed(part(7), label=PLAIN_PERSON), builders.ID_SPEC, "")
    assert is_ours(before_init, PERSON, frozenset({digest_of(before_init)}))
    assert not is_ours(before_init, PERSON, frozenset())


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("7 r1 0123456789ab", 7),
        ("007 r12 0123456789ab", 7),
        ("7 r1 0123456789AB", None),
        ("7 r1 0123456789a", None),
        ("7 r1 0123456789abc", None),
        ("7  r1 0123456789ab", None),
        (" 7 r1 0123456789ab", None),
        ("7 r1 0123456789ab\n", None),
        ("-7 r1 0123456789ab", None),
        ("٧ r1 0123456789ab", None),
        ("7 run 0123456789ab", None),
        ("", None),
    ],
)
def test_a_mark_is_read_in_its_exact_form_only(text: str, identity: int | None) -> None:
    mark = mark_of(with_value(PUSHED, builders.ID_SPEC, text), PERSON)
    assert (mark.identity if mark else None) == identity
