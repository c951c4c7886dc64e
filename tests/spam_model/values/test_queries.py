"""Questions: their names, what a card shows of them, and what can be chosen."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.values import OPTION_LETTERS, Query, QueryKind, evenly_spaced
from tests.spam_model.active.worlds import anchor, anchors, association, detection, localization

numbers = st.lists(st.integers(0, 10**6), min_size=1, max_size=6, unique=True)


def test_the_id_is_the_same_in_every_run_and_release() -> None:
    assert detection(1, 2, 3).id == "79b5ecaf824a"
    assert association([1, 2], [5], [3, 4]).id == "74b913e89d57"
    assert localization(1).id == "08cfed1c4a5c"


@given(numbers, st.floats(0, 1), st.integers(0, 9))
def test_what_is_not_asked_does_not_change_the_id(subject: list[int], value: float, level: int) -> None:
    query = Query(QueryKind.DETECTION, level, anchors(*subject), uncertainty=value, boxes_decided=9, value=value)
    assert query.id == detection(*subject).id


@given(numbers, numbers)
def test_questions_about_different_boxes_have_different_ids(one: list[int], other: list[int]) -> None:
    assert (detection(*one).id == detection(*other).id) == (one == other)


def test_questions_of_different_kinds_have_different_ids() -> None:
    assert len({detection(1).id, localization(1).id, association([1], [2]).id}) == 3


@given(numbers, st.lists(st.integers(10**7, 10**8), min_size=1, max_size=7, unique=True), st.randoms())
def test_a_link_question_keeps_its_id_when_tracklets_grow_and_options_change_places(
    subject: list[int], firsts: list[int], random: object
) -> None:
    grown = [[first, first + 1] for first in firsts]
    random.shuffle(grown)  # type: ignore[attr-defined]
    assert association([*subject], *[[f] for f in firsts]).id == association(subject[-1:], *grown).id


def test_a_link_question_with_another_option_is_another_question() -> None:
    assert association([1], [2], [3]).id != association([1], [2]).id


@given(st.integers(1, 500), st.integers(2, 20))
def test_evenly_spaced_keeps_ends_order_and_spacing(length: int, count: int) -> None:
    whole = anchors(*range(length))
    chosen = evenly_spaced(whole, count)
    frames = [one.frame for one in chosen]
    assert len(chosen) == min(length, count)
    assert frames == sorted(set(frames))
    assert (frames[0], frames[-1]) == (0, length - 1)
    gaps = [b - a for a, b in pairwise(frames)]
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


@pytest.mark.parametrize(("length", "shown"), [(1, 1), (8, 8), (9, 8), (300, 8)])
def test_a_card_shows_at_most_eight_boxes_of_the_subject(length: int, shown: int) -> None:
    query = detection(*range(length))
    assert len(query.shown) == shown
    assert (query.shown[0], query.shown[-1]) == (query.subject[0], query.subject[-1])


def test_the_choices_are_in_the_order_of_the_digit_keys() -> None:
    assert detection(1).choices == ("yes", "no", "unsure")
    assert association([1], [2], [3]).choices == ("A", "B", "nobody", "unsure")
    assert localization(1).choices == ()


@pytest.mark.parametrize("count", range(1, len(OPTION_LETTERS) + 1))
def test_every_choice_has_one_digit_key(count: int) -> None:
    choices = association([1], *[[10 + i] for i in range(count)]).choices
    assert len(choices) == len(set(choices)) == count + 2 <= 9
    assert choices[:count] == tuple("ABCDEFG"[:count])


@pytest.mark.parametrize(("query", "clicks"), [(detection(1), 1), (association([1], [2]), 1), (localization(1), 2)])
def test_prices_are_those_of_the_paper(query: Query, clicks: int) -> None:
    assert query.clicks == clicks


@pytest.mark.parametrize(
    ("kind", "subject", "options", "message"),
    [
        (QueryKind.DETECTION, (), (), "needs a subject"),
        (QueryKind.ASSOCIATION, (anchor(1),), (), "has options"),
        (QueryKind.DETECTION, (anchor(1),), ((anchor(2),),), "has options"),
        (QueryKind.ASSOCIATION, (anchor(1),), tuple((anchor(i),) for i in range(2, 10)), "at most 7"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    kind: QueryKind, subject: tuple[object, ...], options: tuple[object, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Query(kind, 0, subject, options)  # type: ignore[arg-type]
