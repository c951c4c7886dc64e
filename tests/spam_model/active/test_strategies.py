"""Track review and the paper's scheme on the shipped model's results: their questions can be asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spam_model.active.registry import create_strategy
from spam_model.active.session import Session
from spam_model.active.strategies import select, worth_asking
from spam_model.values import (
    Anchor,
    Candidates,
    Constraint,
    ConstraintKind,
    Constraints,
    LabelResult,
    Ledger,
    Query,
    QueryKind,
    binary_entropy,
)
from tests.spam_model.active import shipped
from tests.spam_model.active.worlds import result_of, walk

ROUNDS = [(strategy, number) for strategy in shipped.STRATEGIES for number in range(3)]


def result_after(strategy: str, number: int) -> LabelResult:
    return shipped.rounds(strategy, 2)[number].result


def ranked(strategy: str, result: LabelResult) -> list[Query]:
    return list(create_strategy(strategy).rank(result))


def rows(candidates: Candidates, anchors: tuple[Anchor, ...]) -> np.ndarray:
    return candidates.rows_of(np.array([anchor.candidate_id for anchor in anchors]))


@pytest.mark.parametrize(("strategy", "number"), ROUNDS)
def test_every_question_can_be_asked(strategy: str, number: int) -> None:
    result = result_after(strategy, number)
    candidates = result.candidates
    queries = ranked(strategy, result)
    assert len(queries) > 100
    for query in queries:
        assert 0 <= query.uncertainty <= np.log(2) + 1e-9
        assert query.value >= 0
        assert query.boxes_decided >= 0
        assert 0 <= query.level <= len(result.hierarchy.levels)
        parts = [query.between or query.subject, *query.options]
        if query.between:
            before, after = (anchor.frame for anchor in query.between)
            assert query.subject[0].is_drawn
            assert before < query.subject[0].frame < after
        for part in parts:
            here = rows(candidates, part)
            assert (here >= 0).all()
            assert [anchor.frame for anchor in part] == candidates.frame[here].tolist()
            assert [anchor.box for anchor in part] == list(map(tuple, candidates.box[here].tolist()))
            assert (np.diff(candidates.frame[here]) > 0).all()
        ids = [anchor.candidate_id for part in parts for anchor in part]
        assert len(ids) == len(set(ids))
        assert len({anchor.class_id for part in parts for anchor in part}) == 1


def test_spam_asks_about_each_box_by_the_entropy_of_its_own_probability() -> None:
    result = result_after("spam", 0)
    queries = [query for query in ranked("spam", result) if query.level == 0]
    here = np.concatenate([rows(result.candidates, query.subject) for query in queries])
    assert sorted(here.tolist()) == list(range(len(result.candidates)))
    assert np.allclose([q.uncertainty for q in queries], binary_entropy(result.hierarchy.node_probability[here]))
    assert {query.kind for query in queries} == {QueryKind.DETECTION}


@pytest.mark.parametrize("strategy", shipped.STRATEGIES)
def test_a_round_fits_its_share_of_the_budget_and_uses_it(strategy: str) -> None:
    for done in shipped.rounds(strategy, 2)[1:]:
        share = done.session.ledger.budget / 2
        spent = sum(entry.charged for entry in done.session.ledger.entries if entry.round == done.number)
        assert share - 2 <= spent <= share + 1


@pytest.mark.parametrize(("strategy", "number"), [(strategy, number) for strategy, number in ROUNDS if number])
def test_what_was_asked_or_rejected_is_not_asked_about(strategy: str, number: int) -> None:
    done = shipped.rounds(strategy, 2)[number]
    rejected = {item.first.candidate_id for item in done.session.constraints.of_kind(ConstraintKind.REJECT)}
    asked = {query.id for query in done.session.asked}
    assert rejected
    plenty = replace(done.session, ledger=replace(done.session.ledger, budget=10_000), rounds=number + 1)
    queries = select(create_strategy(strategy), done.result, plenty)
    assert len(queries) > 50
    for query in queries:
        assert query.id not in asked
        assert rejected.isdisjoint(anchor.candidate_id for part in query.options for anchor in part)
        assert not rejected.issuperset(anchor.candidate_id for anchor in query.subject)


@pytest.mark.parametrize("strategy", shipped.STRATEGIES)
def test_a_box_that_people_settled_is_not_worth_asking_about(strategy: str) -> None:
    before = result_after(strategy, 0)
    candidates = before.candidates
    single = next(
        query
        for query in worth_asking(create_strategy(strategy), before)
        if query.kind is QueryKind.DETECTION and len(query.subject) == 1
    )
    for kind in (ConstraintKind.REJECT, ConstraintKind.ACCEPT):
        constraints = Constraints((Constraint(kind, single.subject[0]),))
        after = shipped.labeler().label(candidates, constraints)
        left = [
            query.subject
            for query in worth_asking(create_strategy(strategy), after)
            if query.kind is QueryKind.DETECTION and query.level == 0
        ]
        assert single.subject not in left


@pytest.mark.parametrize("strategy", shipped.STRATEGIES)
def test_about_an_empty_clip_nothing_is_asked(strategy: str) -> None:
    nothing = shipped.clip(1).candidates.take(np.zeros(0, np.int64))
    assert ranked(strategy, shipped.labeler().label(nothing)) == []


@pytest.mark.parametrize("strategy", shipped.STRATEGIES)
def test_without_a_track_only_rejected_boxes_are_asked_about(strategy: str) -> None:
    result = result_of(loose=walk(range(0, 80, 10), (100, 100)))
    queries = ranked(strategy, result)
    assert len(queries) == 8
    assert {query.kind for query in queries} == {QueryKind.DETECTION}


@pytest.mark.parametrize("strategy", shipped.STRATEGIES)
def test_one_track_alone_is_asked_about(strategy: str) -> None:
    result = result_of([walk(range(10), (100, 100), (5, 0))])
    kinds = {query.kind for query in ranked(strategy, result)}
    assert QueryKind.DETECTION in kinds
    assert QueryKind.ASSOCIATION not in kinds


@pytest.mark.parametrize("strategy", shipped.STRATEGIES)
def test_the_same_result_gives_the_same_questions(strategy: str) -> None:
    result = result_after(strategy, 0)
    session = Session(Ledger(full=10_000, budget=200))
    chosen = select(create_strategy(strategy), result, session)
    assert chosen == select(create_strategy(strategy), result, session)
