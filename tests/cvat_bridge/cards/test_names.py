from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvat_bridge.cards import CardName, card_file_name, parse_card_file_name
from spam_model.errors import FormatError
from spam_model.values import Query, QueryKind
from tests.cvat_bridge.cards.painted import tracklet

QUERY = Query(QueryKind.DETECTION, 0, tracklet(3, 0, (0.0, 0.0, 9.0, 9.0)))


@given(round=st.integers(0, 10**6), position=st.integers(0, 10**6))
def test_names_round_trip(round: int, position: int) -> None:
    name = card_file_name(round, position, QUERY)
    assert parse_card_file_name(name) == CardName(round, position, QUERY.id)
    assert parse_card_file_name(f"cards/of/{name}") == CardName(round, position, QUERY.id)


def test_names_sort_as_the_cards_do() -> None:
    names = [card_file_name(round, position, QUERY) for round in (0, 2, 11) for position in (0, 9, 10, 200, 1999)]
    assert names == sorted(names)
    assert names[0] == f"r00_0000_{QUERY.id}.png"


@pytest.mark.parametrize(
    "name",
    ["", "frame_000001.png", "r2_0007_0123456789ab.png", "r02_0007_0123456789AB.png", "r02_0007_0123456789ab.jpg",
     "r02_0007_0123456789ab.png.png", "r٠٢_0007_0123456789ab.png"],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(FormatError, match="no question card of ours"):
        parse_card_file_name(name)


def test_negative_numbers_have_no_name() -> None:
    with pytest.raises(ValueError, match="count from 0"):
        card_file_name(-1, 0, QUERY)
