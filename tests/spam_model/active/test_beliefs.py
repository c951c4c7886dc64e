"""How far an answer is believed, against Bayes' rule in plain words; and that doubtful ones are asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.active.beliefs import BELIEVED, ERROR_RATE, believed_choice
from spam_model.active.session import Session
from spam_model.values import Answer, Ledger, Query, Topic
from tests.spam_model.active.worlds import association, detection, localization

LINK = association([1, 2], [3], [4], [5])


def sure(probability: float, query: Query = detection(1), topic: Topic = Topic.TRACK, expected: str = "yes") -> Query:  # noqa: B008
    """A question of which the labels say ``expected``, wrong with this probability."""
    return replace(query, topic=topic, expected=expected, error_probability=probability)


CASES: list[tuple[Query, Sequence[str], str | None, str]] = [
    (sure(0.01), ["yes"], "yes", "what the labels say already"),
    (sure(0.5), ["no"], "no", "what the model left open"),
    (sure(0.01), ["no"], None, "one against a model that was sure"),
    (sure(0.1), ["no"], None, "one against a model that was nearly sure"),
    (sure(0.1), ["no", "no"], "no", "two against it"),
    (sure(0.01), ["no", "no"], None, "two are not enough against a model that was quite sure"),
    (sure(0.01), ["no", "no", "no"], "no", "three are"),
    (sure(0.01), ["no", "yes"], "yes", "one said so, one did not"),
    (sure(0.5), ["no", "yes"], None, "nobody knows"),
    (sure(0.5), ["no", "yes", "no"], "no", "two of three"),
    (sure(0.5), [], None, "nobody said anything"),
    (sure(0.5), ["unsure"], None, "nobody could tell"),
    (sure(0.5), ["unsure", "no"], "no", "one could tell"),
    (detection(1), ["no"], "no", "no model has an opinion"),
    (sure(0.05, LINK, Topic.GAP, "A"), ["nobody"], None, "one against the link"),
    (sure(0.05, LINK, Topic.GAP, "A"), ["nobody", "nobody"], "nobody", "two against it"),
    (replace(sure(0.6, LINK, Topic.NEXT, "nobody"), option_probability=(0.5, 0.05, 0.05)), ["A"], "A", "the likeliest"),
]


@pytest.mark.parametrize(("query", "votes", "believed", "reason"), CASES)
def test_an_answer_is_believed_when_it_is_likely_enough(
    query: Query, votes: Sequence[str], believed: str | None, reason: str
) -> None:
    assert believed_choice(query, votes) == believed, reason


@given(st.floats(0.01, 0.99), st.lists(st.sampled_from(["yes", "no"]), min_size=1, max_size=5))
def test_belief_is_bayes_rule(error: float, votes: list[str]) -> None:
    """Two choices: each is as likely as before, times 0.95 for every vote for it and 0.05 for every vote against it."""
    weight = {"yes": 1 - error, "no": error}
    for vote in votes:
        weight = {c: w * (1 - ERROR_RATE if c == vote else ERROR_RATE) for c, w in weight.items()}
    best = max(weight, key=lambda choice: weight[choice])
    share = weight[best] / sum(weight.values())
    if abs(share - BELIEVED) > 1e-9 and best in votes:
        assert believed_choice(sure(error), votes) == (best if share > BELIEVED else None)


@given(st.floats(0, 1), st.lists(st.sampled_from(["A", "B", "C", "nobody", "unsure"]), max_size=4), st.randoms())
def test_the_order_of_the_votes_never_matters(error: float, votes: list[str], random: object) -> None:
    query = sure(error, LINK, Topic.GAP, "B")
    shuffled = list(votes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert believed_choice(query, votes) == believed_choice(query, shuffled)


def asked(*queries: Query, rounds: int = 5) -> Session:
    return Session(Ledger(full=1000, budget=100), rounds=rounds).ask(queries)


def kinds(session: Session) -> list[str]:
    return [item.kind for item in session.constraints.items]


def test_a_doubtful_answer_is_put_to_another_person_before_it_counts() -> None:
    query = sure(0.1)
    session = asked(query).tell((Answer(query.id, "no"),))
    assert kinds(session) == []
    (again,) = session.doubtful
    assert (again.vote, again.subject) == (2, query.subject)
    assert again.id != query.id
    session = session.ask((again,))
    assert session.doubtful == (), "it is open"
    session = session.tell((Answer(again.id, "no"),))
    assert kinds(session) == ["reject"]
    assert session.doubtful == ()
    assert session.ledger.spent == 2


@pytest.mark.parametrize("choice", ["yes", "unsure"])
def test_what_is_believed_or_could_not_be_told_is_not_asked_again(choice: str) -> None:
    query = sure(0.01)
    assert asked(query).tell((Answer(query.id, choice),)).doubtful == ()


def test_a_rectangle_is_believed_as_it_was_drawn() -> None:
    query = replace(localization(1), topic=Topic.FIT, error_probability=0.001)
    session = asked(query).tell((Answer(query.id, box=(0.0, 0.0, 9.0, 9.0)),))
    assert kinds(session) == ["box"]
    assert session.doubtful == ()


def test_after_the_last_round_what_is_likelier_than_not_counts() -> None:
    query = sure(0.3)
    answer = (Answer(query.id, "no"),)
    assert kinds(asked(query).tell(answer)) == []
    assert kinds(asked(query, rounds=1).tell(answer)) == ["reject"]


def test_after_the_last_round_what_is_unlikely_still_does_not_count() -> None:
    query = sure(0.001)
    assert "reject" not in kinds(asked(query, rounds=1).tell((Answer(query.id, "no"),)))
