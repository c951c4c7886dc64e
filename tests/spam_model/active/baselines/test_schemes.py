"""What holds for every scheme of the paper: questions that can be asked and answered, each once, in a fixed order."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.active.answers import constraints_from
from spam_model.active.oracle import Oracle
from spam_model.active.strategies import Strategy
from spam_model.graph.constraints import resolve
from spam_model.values import Anchor, Constraints, QueryKind
from tests.spam_model.active import shipped
from tests.spam_model.active.baselines.schemes import SEED, baselines, ranked, result, schemes

BOTH = pytest.mark.parametrize("answered", [False, True], ids=["before", "answered"])
EVERY = pytest.mark.parametrize("scheme", schemes(), ids=lambda scheme: scheme.name)
BASELINE = pytest.mark.parametrize("scheme", baselines(), ids=lambda scheme: scheme.name)


def rows(anchors: tuple[Anchor, ...]) -> np.ndarray:
    return result(False).candidates.rows_of(np.array([anchor.candidate_id for anchor in anchors]))


@BOTH
@EVERY
def test_every_question_can_be_asked(scheme: Strategy, answered: bool) -> None:
    queries = ranked(scheme.name, answered)
    assert len(queries) > 100
    assert {query.kind for query in queries} == {QueryKind.DETECTION, QueryKind.ASSOCIATION}
    for query in queries:
        assert 0 <= query.uncertainty <= np.log(2) + 1e-9
        assert query.value > 0
        assert query.boxes_decided == len(query.subject)
        parts = [query.subject, *query.options]
        assert all((np.diff([anchor.frame for anchor in part]) > 0).all() for part in parts)
        ids = [anchor.candidate_id for part in parts for anchor in part]
        assert len(ids) == len(set(ids))


@BOTH
@EVERY
def test_no_question_is_asked_twice(scheme: Strategy, answered: bool) -> None:
    ids = [query.id for query in ranked(scheme.name, answered)]
    assert len(ids) == len(set(ids))


@BOTH
@BASELINE
def test_the_highest_score_is_asked_first(scheme: Strategy, answered: bool) -> None:
    values = [query.value for query in ranked(scheme.name, answered)]
    assert values == sorted(values, reverse=True)


@EVERY
def test_the_same_result_gives_the_same_questions(scheme: Strategy) -> None:
    assert tuple(scheme.rank(result(False))) == ranked(scheme.name)


@EVERY
def test_the_annotator_can_answer_every_question(scheme: Strategy) -> None:
    clip = shipped.clip(SEED)
    oracle = Oracle(clip.candidates, clip.truth)
    queries = ranked(scheme.name)
    answers = [oracle.answer(query) for query in queries]
    assert all(answer.choice in query.choices for query, answer in zip(queries, answers, strict=True))
    said = [constraints_from(query, answer) for query, answer in zip(queries, answers, strict=True)]
    resolved = resolve(clip.candidates, Constraints(tuple(item for items in said for item in items)))
    assert resolved.unmatched == ()
    assert len(resolved.conflicts) <= 0.01 * len(queries)


@EVERY
def test_what_people_settled_is_not_asked_about(scheme: Strategy) -> None:
    said = shipped.rounds("spam", SEED)[1].session.constraints
    resolved = resolve(shipped.clip(SEED).candidates, said)
    boxes = rows(tuple(q.subject[0] for q in ranked(scheme.name, True) if q.kind is QueryKind.DETECTION))
    assert resolved.fixed.any() and resolved.rejected.any()
    assert not (resolved.fixed | resolved.rejected)[boxes].any()


@EVERY
def test_about_an_empty_clip_nothing_is_asked(scheme: Strategy) -> None:
    nothing = shipped.clip(1).candidates.take(np.zeros(0, np.int64))
    assert list(scheme.rank(shipped.labeler().label(nothing))) == []


@EVERY
def test_about_a_single_box_one_question_is_asked_at_most(scheme: Strategy) -> None:
    lone = shipped.labeler().label(shipped.clip(1).candidates.take(np.array([0])))
    assert {query.kind for query in scheme.rank(lone)} <= {QueryKind.DETECTION}
    assert len(list(scheme.rank(lone))) <= 1
