"""Nothing is asked twice in other words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from spam_model.active.questions import ReviewView, continuations
from spam_model.active.session import Session
from spam_model.active.settled import SETTLED_BY, Settled
from spam_model.values import (
    OPTION_LETTERS,
    Anchor,
    Answer,
    Constraint,
    ConstraintKind,
    Constraints,
    LabelResult,
    Ledger,
    Query,
    QueryKind,
    Topic,
)
from tests.spam_model.active import shipped
from tests.spam_model.active.worlds import anchors_at, detection, drawn, localization, result_of, tracks_of, walk

# Candidates of three walks: two tracks that follow each other, and rejected boxes.
FIRST, SECOND, LOOSE = walk(range(20), (100, 100)), walk(range(30, 60), (100, 100)), walk(range(25, 35), (300, 300))
RESULT = result_of([FIRST], [SECOND], loose=LOOSE)


def session_of(*asked: tuple[Query, str], constraints: Sequence[Constraint] = ()) -> Session:
    """These questions were asked, and answered where there is an answer."""
    ledger = Ledger(full=1000, budget=100).ask(tuple(query for query, _ in asked), 1)
    answers = tuple(Answer(query.id, choice) for query, choice in asked if choice)
    return Session(ledger, 3, 1, Constraints(tuple(constraints)), tuple(query for query, _ in asked), answers)


def covers(query: Query, *asked: tuple[Query, str], constraints: Sequence[Constraint] = ()) -> bool:
    return Settled(RESULT, session_of(*asked, constraints=constraints)).covers(query)


def about(topic: Topic, track: int, frames: Sequence[int]) -> Query:
    return Query(QueryKind.DETECTION, 0, anchors_at(RESULT, track, frames), topic=topic)


def link(topic: Topic, last: int, *options: tuple[int, int], expected: str = "A") -> Query:
    """About the first track's boxes up to frame ``last``; each option from (track, frame) on."""
    subject = anchors_at(RESULT, 0, range(last + 1))
    parts = tuple(anchors_at(RESULT, track, range(start, start + 5)) for track, start in options)
    return Query(QueryKind.ASSOCIATION, 3, subject, parts, topic=topic, expected=expected)


def said(kind: ConstraintKind, *places: tuple[int, int]) -> Constraint:
    first, second = (anchors_at(RESULT, track, [frame])[0] for track, frame in places)
    return Constraint(kind, first, second)


MUST, CANNOT = ConstraintKind.MUST_LINK, ConstraintKind.CANNOT_LINK


@pytest.mark.parametrize("choice", ["yes", "unsure", ""], ids=["answered", "unsure", "skipped"])
@pytest.mark.parametrize("before", SETTLED_BY)
@pytest.mark.parametrize("now", SETTLED_BY)
def test_a_question_about_boxes_is_settled_by_those_that_asked_the_same_of_most_of_them(
    before: Topic, now: Topic, choice: str
) -> None:
    asked = about(before, 0, range(10)), choice
    settles = before in SETTLED_BY[now]
    assert before is not now or settles, "every topic settles itself"
    assert covers(about(now, 0, range(4, 15)), asked) is settles  # 6 of 11
    assert covers(about(now, 0, range(5, 15)), asked) is False  # 5 of 10
    assert covers(about(now, 0, range(2, 4)), asked) is settles
    assert covers(about(now, 1, range(30, 40)), asked) is False


def test_several_questions_may_settle_one_together() -> None:
    asked = [(about(Topic.RUN, 0, range(start, start + 3)), "yes") for start in (0, 5)]
    assert covers(about(Topic.RUN, 0, range(9)), *asked)
    assert not covers(about(Topic.RUN, 0, range(13)), *asked)


def test_the_same_question_is_never_asked_twice() -> None:
    for query in (localization(1), drawn(3, 7), detection(1, 2), about(Topic.TRACK, 0, range(20))):
        assert covers(query, (query, ""))


def test_other_questions_of_a_box_settle_not_how_it_fits() -> None:
    track = about(Topic.TRACK, 0, range(20)), "yes"
    assert not covers(replace(localization(1), subject=track[0].subject[:1], topic=Topic.FIT), track)


@pytest.mark.parametrize(
    ("links", "covered", "reason"),
    [
        ([said(MUST, (0, 5), (0, 15))], True, "somebody vouched for the way"),
        ([said(MUST, (0, 15), (0, 5))], True, "whichever of the two came first"),
        ([said(MUST, (0, 9), (0, 12))], True, "from one end to the other"),
        ([said(MUST, (0, 5), (0, 11))], False, "not far enough"),
        ([said(MUST, (0, 10), (0, 15))], False, "from too late on"),
        ([said(MUST, (0, 1), (0, 9)), said(MUST, (0, 12), (0, 19))], False, "on both sides only"),
        ([said(CANNOT, (0, 5), (0, 15))], False, "they differ"),
        ([said(MUST, (0, 5), (1, 40))], False, "not in force: the other box is in another track"),
        ([], False, "nobody said anything"),
    ],
)
@pytest.mark.parametrize("topic", [Topic.CROSSING, Topic.GAP])
def test_where_a_person_vouched_for_the_way_nobody_is_asked_for_it(
    topic: Topic, links: list[Constraint], covered: bool, reason: str
) -> None:
    assert covers(link(topic, 9, (0, 12), (1, 30)), constraints=links) is covered, reason


@pytest.mark.parametrize("topic", [Topic.CROSSING, Topic.GAP])
@pytest.mark.parametrize("choice", ["nobody", "unsure", ""])
def test_the_same_link_beside_other_options_is_the_same_question(topic: Topic, choice: str) -> None:
    asked = link(topic, 9, (0, 12), (1, 30)), choice
    assert covers(link(topic, 9, (0, 12), (1, 40)), asked)
    assert not covers(link(topic, 9, (0, 13), (1, 30)), asked)
    assert not covers(link(topic, 8, (0, 12), (1, 30)), asked)


@pytest.mark.parametrize(("choice", "covered"), [("A", True), ("nobody", False), ("unsure", False), ("", False)])
def test_an_end_that_was_followed_is_not_asked_about_again(choice: str, covered: bool) -> None:
    asked = link(Topic.NEXT, 19, (1, 30), expected="nobody"), choice
    assert covers(link(Topic.NEXT, 19, (-1, 25), expected="nobody"), asked) is covered
    assert not covers(link(Topic.NEXT, 18, (-1, 25), expected="nobody"), asked)


def apart(*asked: tuple[Query, str], constraints: Sequence[Constraint] = ()) -> set[int]:
    """The tracks (-1: the rejected boxes) that are not to be offered to the first track."""
    found = continuations(ReviewView(RESULT))
    known = Settled(RESULT, session_of(*asked, constraints=constraints)).known_apart(found)
    track_of = RESULT.hierarchy.track_of
    ends = {int(track_of[found.fragments[node][0]]) for node in found.edge[0]}
    assert (ends, found.edge.shape) == ({0}, (2, 2))
    return {int(track_of[found.fragments[node][0]]) for node in found.edge[1, known]}


@pytest.mark.parametrize(
    ("said_so", "never", "reason"),
    [
        ([], set(), "nobody said anything"),
        ([said(CANNOT, (0, 15), (1, 35))], {1}, "they differ"),
        ([said(CANNOT, (1, 35), (0, 2))], {1}, "they differ, said of other boxes the other way round"),
        ([said(CANNOT, (0, 15), (1, 35)), said(CANNOT, (0, 15), (-1, 28))], {1, -1}, "neither of them"),
        ([said(CANNOT, (1, 35), (-1, 28))], set(), "said of others"),
        ([said(CANNOT, (0, 2), (0, 15))], set(), "said of one track: not in force"),
    ],
)
def test_who_is_said_to_differ_is_not_offered_again(said_so: list[Constraint], never: set[int], reason: str) -> None:
    assert apart(constraints=said_so) == never, reason


@pytest.mark.parametrize(("choice", "never"), [("nobody", {1}), ("unsure", {1}), ("", {1}), ("A", set())])
def test_who_was_offered_to_an_end_in_vain_is_not_offered_again(choice: str, never: set[int]) -> None:
    assert apart((link(Topic.NEXT, 19, (1, 30), expected="nobody"), choice)) == never
    assert apart((link(Topic.GAP, 19, (1, 30)), choice)) == set()


def first_asked(seed: int) -> list[tuple[int, Query]]:
    """What was asked over the rounds, with the round; what was put to a second person left out."""
    session = shipped.long_run(seed)[-1].session
    in_round = {entry.query_id: entry.round for entry in session.ledger.entries}
    return [(in_round[query.id], query) for query in session.asked if query.vote == 1]


def pairs(query: Query) -> set[tuple[int, int]]:
    return {(query.subject[-1].candidate_id, option[0].candidate_id) for option in query.options}


@pytest.mark.parametrize("seed", shipped.LONG_RUNS)
def test_over_the_rounds_nothing_is_asked_twice(seed: int) -> None:
    asked = [query for _, query in first_asked(seed)]
    followed = {a.query_id for a in shipped.long_run(seed)[-1].session.answers if len(a.choice) == 1}
    assert len({query.topic for query in asked}) >= 6
    for number, query in enumerate(asked):
        ids = {anchor.candidate_id for anchor in query.subject}
        for earlier in asked[:number]:
            assert query.id != earlier.id
            if query.topic is not earlier.topic:
                continue
            if query.kind is QueryKind.DETECTION:
                assert 2 * len(ids & {anchor.candidate_id for anchor in earlier.subject}) <= len(ids)
            if query.topic in (Topic.CROSSING, Topic.GAP):
                assert _expected_pair(query) not in pairs(earlier)
            if query.topic is Topic.NEXT and earlier.id not in followed:
                assert pairs(query).isdisjoint(pairs(earlier))


def _expected_pair(query: Query) -> tuple[int, int]:
    option = query.options[OPTION_LETTERS.index(query.expected)]
    return query.subject[-1].candidate_id, option[0].candidate_id


@pytest.mark.parametrize("seed", shipped.LONG_RUNS)
def test_over_the_rounds_no_link_is_asked_for_that_people_vouched_for_or_denied(seed: int) -> None:
    done = shipped.long_run(seed)
    asked = first_asked(seed)
    for before, number in zip(done, range(1, len(done)), strict=False):
        result, said_so = before.result, before.session.constraints
        here = [query for asked_in, query in asked if asked_in == number]
        for query in [query for query in here if query.topic in (Topic.CROSSING, Topic.GAP)]:
            assert not any(_spans(result, item, query) for item in said_so.of_kind(MUST))
        never = {_ids(item) for item in said_so.of_kind(CANNOT)}
        for query in [query for query in here if query.topic is Topic.NEXT]:
            for option in query.options:
                (mine,) = tracks_of(result, query.subject)
                ends = {frozenset((a, b)) for a in _track(result, mine) for b in _whole(result, option)}
                assert never.isdisjoint(ends)


def _ids(item: Constraint) -> frozenset[int]:
    return frozenset(anchor.candidate_id for anchor in (item.first, item.second) if anchor)


def _track(result: LabelResult, track: int) -> list[int]:
    ids: list[int] = result.candidates.id[result.hierarchy.track_of == track].tolist()
    return ids


def _whole(result: LabelResult, option: tuple[Anchor, ...]) -> list[int]:
    """The boxes of an option's track, or of what is shown of rejected boxes."""
    (track,) = tracks_of(result, option)
    return _track(result, track) if track >= 0 else [anchor.candidate_id for anchor in option]


def _spans(result: LabelResult, item: Constraint, query: Query) -> bool:
    """Whether this must-link joins what is before the question to what is after it, in the question's track."""
    rows = result.candidates.rows_of(np.array(sorted(_ids(item))))
    frames = sorted(result.candidates.frame[rows].tolist())
    option = query.options[OPTION_LETTERS.index(query.expected)]
    same = set(result.hierarchy.track_of[rows].tolist()) == tracks_of(result, (query.subject[-1], option[0]))
    return same and frames[0] <= query.subject[-1].frame and frames[1] >= option[0].frame
