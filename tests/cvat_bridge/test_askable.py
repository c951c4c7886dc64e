"""What is asked of a task of which frames were deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cvat_bridge.askable import OnShownFrames
from spam_model.values import Anchor, Query, QueryKind


def _box(frame: int) -> Query:
    return Query(QueryKind.LOCALIZATION, 0, (Anchor(frame, frame, (0.0, 0.0, 4.0, 8.0), 0),))


ABOUT_A_TRACK = Query(QueryKind.DETECTION, 3, _box(3).subject + _box(9).subject)


class Fixed:
    name = "fixed"

    def rank(self, result: object, session: object = None) -> Iterator[Query]:
        yield from (_box(4), ABOUT_A_TRACK, _box(3), _box(5))


def test_no_rectangle_is_asked_on_a_deleted_frame_and_the_order_stays() -> None:
    unused: Any = None
    strategy = OnShownFrames(Fixed(), frozenset({3, 4}))
    assert strategy.name == "fixed"
    assert list(strategy.rank(unused)) == [ABOUT_A_TRACK, _box(5)]
    assert list(OnShownFrames(Fixed(), frozenset()).rank(unused)) == list(Fixed().rank(unused))
