"""Track review: the order of its questions, and how it learns from what people say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.active.odds import CONTINUATION, Odds, shipped_odds
from spam_model.active.session import Session
from spam_model.active.track_review import PRIOR, TrackReview, learned_factors
from spam_model.values import Answer, LabelResult, Ledger, Query, QueryKind, Topic
from spam_model.values.candidates import FloatArray
from tests.spam_model.active import shipped
from tests.spam_model.active.worlds import detection, result_of, walk

RUNS = [(seed, number) for seed in shipped.LONG_RUNS for number in range(3)]


def ranked(result: LabelResult, session: Session | None = None, odds: Odds | None = None) -> list[Query]:
    return list(TrackReview(odds).rank(result, session))


def session_of(said: Sequence[tuple[Query, str]]) -> Session:
    asked = tuple(query for query, _ in said)
    answers = tuple(Answer(query.id, choice) for query, choice in said)
    return Session(Ledger(1000, 1000).ask(asked, 1), round=1, asked=asked, answers=answers)


@pytest.mark.parametrize(("seed", "number"), RUNS)
def test_what_removes_the_most_error_for_a_click_is_asked_first(seed: int, number: int) -> None:
    done = shipped.long_run(seed)[number]
    queries = ranked(done.result, done.session)
    values = [query.value for query in queries]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0
    assert all(0 <= query.error_probability <= 1 for query in queries)
    assert all(query.expected in query.choices for query in queries if query.kind is not QueryKind.LOCALIZATION)


def test_questions_of_every_kind_and_nearly_every_topic_are_asked() -> None:
    queries = [query for seed in shipped.LONG_RUNS for query in ranked(shipped.long_run(seed)[0].result)]
    assert {query.kind for query in queries} == set(QueryKind)
    assert {query.topic for query in queries} >= set(Topic) - {Topic.PLACE, Topic.DROPPED}


def test_no_question_has_the_number_of_another() -> None:
    for seed in shipped.LONG_RUNS:
        ids = [query.id for query in ranked(shipped.long_run(seed)[0].result)]
        assert len(ids) == len(set(ids))


def even_odds(topic: str, share: float) -> Odds:
    """The same chance for everything, ``share`` for one topic."""
    weights: dict[str, FloatArray] = {name: np.zeros(len(w)) for name, w in shipped_odds().weights.items()}
    weights[topic][-1] = np.log(share / (1 - share))
    return Odds(weights)


@pytest.mark.parametrize(
    ("topic", "share"), [(Topic.TRACK, 0.9), (Topic.TRACK, 0.1), (Topic.MISSED, 0.9), (Topic.GAP, 0.4)]
)
def test_the_odds_of_a_topic_are_those_given(topic: Topic, share: float) -> None:
    parts = [walk(range(20), (100, 100)), walk(range(30, 60), (100, 100))]
    result = result_of(parts, loose=walk(range(9), (300, 300)), links=[(0, 1, 0.7, True)])
    queries = ranked(result, odds=even_odds(topic, share))
    for query in queries:
        if query.topic is not Topic.NEXT:
            assert query.error_probability == pytest.approx(share if query.topic is topic else 0.5)
    assert topic in {query.topic for query in queries}


def test_where_a_track_goes_on_is_asked_by_the_odds_of_the_pairs() -> None:
    result = result_of([walk(range(20), (100, 100))], [walk(range(30, 60), (100, 100))])
    queries = ranked(result, odds=even_odds(CONTINUATION, 0.3))
    (query,) = [query for query in queries if query.topic is Topic.NEXT]
    assert query.error_probability == pytest.approx(0.3)


def told(expected: float, found: int, count: int = 10, topic: Topic = Topic.TRACK) -> list[tuple[Query, str]]:
    """Of ``count`` questions ``found`` changed the labels, where ``expected`` in all were to be expected."""
    asked = [
        replace(
            detection(100 * list(Topic).index(topic) + k),
            topic=topic,
            expected="yes",
            error_probability=expected / count,
        )
        for k in range(count)
    ]
    return [(query, "no" if k < found else "yes") for k, query in enumerate(asked)]


@pytest.mark.parametrize(
    ("expected", "found", "factor"),
    [(2.0, 2, 1.0), (0.0, 5, 2.0), (5.0, 0, 0.5), (5.0, 10, 1.5), (10.0, 10, 1.0), (1.0, 0, 5 / 6)],
)
def test_the_odds_follow_what_was_found(expected: float, found: int, factor: float) -> None:
    """(a + c) / (a + C), the mean of a Gamma-Poisson posterior; a = 5."""
    assert PRIOR == 5
    assert learned_factors(session_of(told(expected, found))) == pytest.approx({Topic.TRACK: factor})


@given(st.floats(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_more_changes_than_expected_raise_the_odds_and_fewer_lower_them(
    expected: float, found: int, unsure: int
) -> None:
    said = told(expected, found)
    said = [(query, "unsure" if k < unsure else choice) for k, (query, choice) in enumerate(said)]
    changes = sum(choice == "no" for _, choice in said)
    (factor,) = learned_factors(session_of(said)).values()
    assert np.sign(factor - 1) == pytest.approx(np.sign(changes - expected)) or abs(changes - expected) < 1e-9
    assert min(1.0, changes / max(expected, 1e-9)) - 1e-9 <= factor <= max(1.0, (5 + changes) / 5)


def test_topics_learn_apart_and_what_has_no_topic_teaches_nothing() -> None:
    said = [*told(2.0, 8), *told(2.0, 0, topic=Topic.RUN), (detection(900), "no")]
    assert learned_factors(session_of(said)) == pytest.approx({Topic.TRACK: 13 / 7, Topic.RUN: 5 / 7})
    assert learned_factors(session_of([])) == {}


def test_a_topic_that_surprised_is_asked_sooner() -> None:
    result = result_of([walk(range(30), (100, 100))], loose=walk(range(9), (300, 300)), loose_probability=0.3)
    before = {query.topic: query for query in ranked(result)}
    after = {query.topic: query for query in ranked(result, session_of(told(1.0, 10)))}
    assert before.keys() == after.keys() >= {Topic.TRACK, Topic.MISSED}
    ratio = min(15 / 6, 1 / before[Topic.TRACK].error_probability)
    assert after[Topic.TRACK].value == pytest.approx(ratio * before[Topic.TRACK].value)
    assert after[Topic.MISSED].value == before[Topic.MISSED].value


def test_however_much_surprises_a_chance_stays_one() -> None:
    result = result_of([walk(range(30), (100, 100))], probability=0.3, score=0.1)
    (query,) = [q for q in ranked(result, session_of(told(0.0, 200, count=200))) if q.topic is Topic.TRACK]
    assert query.error_probability == 1.0
