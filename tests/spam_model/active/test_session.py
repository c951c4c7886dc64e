"""The session and the choice of a round's questions: the budget holds, whatever is asked and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.active.session import Session
from spam_model.active.strategies import select
from spam_model.errors import InputError
from spam_model.values import Anchor, Answer, LabelResult, Ledger, Query, QueryKind
from tests.spam_model.active.worlds import association, detection, localization, result_of, walk

RESULT = result_of([walk(range(3), (0, 0))])


@dataclass
class Fixed:
    """Ranks the same questions whatever the result."""

    queries: Sequence[Query]
    name: str = "fixed"

    def rank(self, result: LabelResult, session: Session | None = None) -> Sequence[Query]:
        return self.queries


def session_of(budget: int, rounds: int = 3) -> Session:
    return Session(Ledger(full=1000, budget=budget), rounds=rounds)


def answer_to(query: Query, choice: str = "unsure") -> Answer:
    if query.kind is QueryKind.LOCALIZATION:
        return Answer(query.id, box=query.subject[0].box)
    return Answer(query.id, choice)


few = st.integers(0, 12)
queries = st.one_of(
    st.builds(lambda ids: detection(*ids), st.lists(few, min_size=1, max_size=4, unique=True)),
    st.builds(lambda a, b: association([a], [20 + b]), few, few),
    st.builds(localization, few),
)
rankings = st.lists(st.builds(lambda q, v: replace(q, value=v), queries, st.floats(0, 1)), max_size=25)


@given(st.lists(rankings, min_size=1, max_size=5), st.integers(0, 12), st.integers(1, 4), st.data())
def test_no_run_spends_more_than_its_budget(
    rounds: list[list[Query]], budget: int, planned: int, data: st.DataObject
) -> None:
    session = session_of(budget, planned)
    asked: list[str] = []
    for ranked in rounds:
        share = session.clicks_this_round
        chosen = select(Fixed(ranked), RESULT, session)
        assert sum(query.clicks for query in chosen) <= share
        session = session.ask(chosen)
        asked += [query.id for query in chosen]
        answers = [answer_to(query) for query in chosen if data.draw(st.booleans())]
        session = session.tell(tuple(answers))
        assert session.ledger.spent <= session.ledger.budget == budget
    assert len(asked) == len(set(asked))
    assert session.ledger.spent == sum(query.clicks for query in session.asked) - sum(
        query.clicks for query in session.open_questions
    )


def _valid(query: Query) -> tuple[Anchor, ...]:
    return query.subject if query.kind is QueryKind.DETECTION else ()


@given(rankings, st.integers(0, 12), st.integers(1, 4))
def test_a_rounds_questions_keep_their_rank_and_no_box_is_asked_about_twice(
    ranked: list[Query], budget: int, planned: int
) -> None:
    chosen = select(Fixed(ranked), RESULT, session_of(budget, planned))
    put_off = []
    for query in chosen:
        above = [other for other in ranked[: ranked.index(query)] if other in chosen]
        in_question = {anchor for other in above for anchor in _valid(other)}
        put_off.append(query.kind is QueryKind.LOCALIZATION and query.subject[0] in in_question)
    assert put_off == sorted(put_off)  # rectangles on boxes in question come last
    for part in (False, True):
        positions = [ranked.index(query) for query, late in zip(chosen, put_off, strict=True) if late is part]
        assert positions == sorted(positions)
    subjects = [(query.kind, anchor.candidate_id) for query in chosen for anchor in query.subject]
    assert len(subjects) == len(set(subjects))


def test_a_round_takes_the_best_questions_it_can_pay() -> None:
    ranked = (localization(1), localization(2), detection(3), detection(4))
    assert select(Fixed(ranked), RESULT, session_of(budget=3, rounds=1)) == (ranked[0], ranked[2])


def test_whether_a_box_is_valid_is_asked_before_how_it_fits() -> None:
    ranked = (detection(1, 2, 3, level=4), localization(2), localization(9), association([3], [8]))
    assert select(Fixed(ranked), RESULT, session_of(budget=4, rounds=1)) == (ranked[0], *ranked[2:])
    assert select(Fixed(ranked), RESULT, session_of(budget=6, rounds=1)) == (ranked[0], *ranked[2:], ranked[1])


def test_a_question_of_no_value_is_not_asked() -> None:
    ranked = (detection(1, value=0.5), detection(2, value=0.0), detection(3, value=1e-12))
    assert select(Fixed(ranked), RESULT, session_of(budget=30)) == ranked[:1]


def test_rounds_share_the_budget_and_what_is_not_spent_rolls_on() -> None:
    session = session_of(budget=10, rounds=3)
    assert session.clicks_this_round == 4
    session = session.ask((detection(1),)).tell((Answer(detection(1).id, "yes"),))
    assert session.clicks_this_round == 5  # 9 left, two rounds
    session = session.ask(())
    assert session.clicks_this_round == 9
    assert session.ask(()).clicks_this_round == 0


def test_a_skipped_question_costs_nothing_and_is_not_asked_again() -> None:
    session = session_of(budget=10, rounds=2).ask((detection(1),))
    assert session.open_questions == (detection(1),)
    assert session.clicks_this_round == 10
    assert session.is_settled(detection(1))


def test_unsure_costs_its_click_and_concludes_nothing() -> None:
    session = session_of(budget=10).ask((detection(1),)).tell((Answer(detection(1).id, "unsure"),))
    assert (session.ledger.spent, len(session.constraints)) == (1, 0)
    assert session.open_questions == ()
    assert session.is_settled(detection(1))


def test_the_first_answer_stands_and_is_charged_once() -> None:
    query = detection(1)
    yes, no = Answer(query.id, "yes"), Answer(query.id, "no")
    session = session_of(budget=10).ask((query,)).tell((yes, no)).tell((no,))
    assert session.answers == (yes,)
    assert [item.kind for item in session.constraints.items] == ["accept"]
    assert session.ledger.spent == 1


def test_an_answer_to_nothing_that_was_asked_is_left_aside() -> None:
    session = session_of(budget=10).ask((detection(1),))
    assert session.tell((Answer(detection(2).id, "yes"),)) == session


def test_a_wrong_answer_is_refused_and_changes_nothing() -> None:
    session = session_of(budget=10).ask((detection(1), detection(2)))
    with pytest.raises(InputError):
        session.tell((Answer(detection(1).id, "yes"), Answer(detection(2).id, "B")))
    assert session.ledger.spent == 0


def test_a_question_asked_again_is_no_new_question() -> None:
    session = session_of(budget=10).ask((detection(1), detection(1))).ask((detection(1), detection(2)))
    assert session.asked == (detection(1), detection(2))
    assert session.round == 2


def test_the_budget_stays_what_it_was() -> None:
    session = session_of(budget=10)
    for number in range(5):
        session = session.ask((detection(number),)).tell((Answer(detection(number).id, "yes"),))
        assert (session.ledger.budget, session.ledger.full) == (10, 1000)


@pytest.mark.parametrize(
    ("query", "settled", "reason"),
    [
        (detection(1, 2, 3, 4), True, "the same question"),
        (detection(1, 2, 3, 4, 5), True, "the track has grown by a box"),
        (detection(2, 3), True, "a part of it"),
        (detection(3, 4, 5, 6), False, "only half of it was asked about"),
        (detection(3, 4, 5), True, "most of it was asked about"),
        (detection(7), False, "another box"),
        (localization(2), False, "another kind of question"),
        (association([2], [9]), False, "another kind of question"),
    ],
)
def test_nearly_the_same_words_are_the_same_question(query: Query, settled: bool, reason: str) -> None:
    session = session_of(budget=10).ask((detection(1, 2, 3, 4, level=5), localization(7), detection(6)))
    assert session.is_settled(query) is settled, reason


@given(st.lists(rankings, max_size=3), queries)
def test_settled_means_asked_or_more_than_half_in_one_question(rounds: list[list[Query]], query: Query) -> None:
    session = session_of(budget=100)
    for ranked in rounds:
        session = session.ask(tuple(ranked))
    mine = {anchor.candidate_id for anchor in query.subject}
    overlaps = [
        len(mine & {anchor.candidate_id for anchor in earlier.subject})
        for earlier in session.asked
        if earlier.kind is query.kind is QueryKind.DETECTION
    ]
    expected = query.id in {earlier.id for earlier in session.asked} or any(2 * n > len(mine) for n in overlaps)
    assert session.is_settled(query) is expected
