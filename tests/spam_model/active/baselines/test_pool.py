"""The pool of questions against plain loops, and shares of a merged ranking."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.active.baselines.pool import PerDecision, QuestionPool, once, share_out
from spam_model.active.questions.outgoing import NodeMembers, outgoing_links
from spam_model.values import LabelResult, QueryKind, binary_entropy
from tests.spam_model.active.baselines.schemes import result
from tests.spam_model.active.worlds import result_of, walk

BROKEN = result_of(
    [walk(range(4), (0, 0))],
    [walk(range(5, 9), (0, 0))],
    [walk(range(5, 9), (50, 0))],
    loose=walk([20], (300, 300)),
    links=[(0, 1, 0.6, False), (0, 2, 0.3, False)],
)


def test_there_is_one_question_per_box_and_one_per_node_with_a_link_onwards() -> None:
    pool = QuestionPool(BROKEN)
    assert pool.level.tolist() == [0] * 13 + [1]
    assert pool.row.tolist() == [*range(13), 3]
    assert pool.node.tolist() == [*range(13), 0]
    assert pool.open.all()


def test_a_link_question_offers_the_most_probable_partner_first_and_is_worth_its_score() -> None:
    query = QuestionPool(BROKEN).query(13, 0.7)
    assert (query.kind, query.level, query.value, query.boxes_decided) == (QueryKind.ASSOCIATION, 6, 0.7, 4)
    assert [anchor.frame for anchor in query.subject] == [0, 1, 2, 3]
    assert [option[0].box[0] for option in query.options] == [0.0, 50.0]
    assert query.uncertainty == pytest.approx(float(binary_entropy(np.array(0.6))))


@pytest.mark.parametrize(
    ("probabilities", "is_open"), [((0.5, 0.2), True), ((1.0, 0.0), False), ((0.0, 0.2), True), ((0.0, 0.0), False)]
)
def test_a_link_is_open_until_people_have_settled_all_of_it(probabilities: tuple[float, float], is_open: bool) -> None:
    links = [(0, other, p, p == 1) for other, p in zip((1, 2), probabilities, strict=True)]
    tracks = [[walk(range(4), (0, 0))], [walk(range(5, 9), (0, 0))], [walk(range(5, 9), (50, 0))]]
    assert QuestionPool(result_of(*tracks, links=links)).open[-1] == is_open


@pytest.mark.parametrize("answered", [False, True])
def test_the_score_of_a_node_is_the_highest_of_its_links_onwards(answered: bool) -> None:
    this: LabelResult = result(answered)
    pool = QuestionPool(this)
    for index, level in enumerate(this.hierarchy.levels, start=1):
        members = NodeMembers(level)
        here = np.flatnonzero(pool.level == index)
        links = list(outgoing_links(level))
        assert pool.node[here].tolist() == [link.node for link in links]
        assert pool.row[here].tolist() == [members[link.node][-1] for link in links]
        assert np.allclose(pool.entropy[here], [link.uncertainty for link in links])


def test_without_the_hierarchy_each_box_has_one_next_occurrence_at_its_lowest_level() -> None:
    pool = QuestionPool(result(False))
    asked = pool.without_hierarchy()
    assert asked[pool.level == 0].all()
    links = asked & (pool.level > 0)
    assert len(np.unique(pool.row[links])) == links.sum()
    lowest: dict[int, int] = {}
    for row, level in zip(pool.row.tolist(), pool.level.tolist(), strict=True):
        if level > 0:
            lowest[row] = min(level, lowest.get(row, level))
    assert lowest == dict(zip(pool.row[links].tolist(), pool.level[links].tolist(), strict=True))


def test_a_question_without_a_score_is_not_ranked() -> None:
    pool = QuestionPool(BROKEN)
    score = np.zeros(len(pool))
    score[[2, 13]] = 0.5, 0.7
    assert list(pool.ranked(score)) == [pool.query(13, 0.7), pool.query(2, 0.5)]


def test_probabilities_are_those_of_the_run() -> None:
    p = PerDecision.probabilities(BROKEN)
    assert (p.node == BROKEN.hierarchy.node_probability).all()
    assert [edge.tolist() for edge in p.edges] == [[0.6, 0.3]]


@given(st.lists(st.integers(0, 5)))
def test_once_keeps_the_first_of_each(items: list[int]) -> None:
    assert list(once(items, key=lambda item: item)) == list(dict.fromkeys(items))


weights = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=11)


@given(weights, st.integers(1, 300))
def test_every_beginning_holds_its_share_of_each_part(weight: list[float], budget: int) -> None:
    parts = [[(part, i) for i in range(budget)] for part in range(len(weight))]
    taken = list(islice(share_out(parts, np.array(weight), key=lambda item: item), budget))
    count = np.bincount([part for part, _ in taken], minlength=len(weight))
    assert count.sum() == budget
    share = np.array(weight) / sum(weight)
    assert (np.abs(count - budget * share) <= len(weight) / 2).all()  # no method of divisors is further off
    for part in range(len(weight)):
        assert [i for p, i in taken if p == part] == list(range(count[part]))


@given(st.lists(st.lists(st.integers(0, 20)), min_size=1, max_size=5), st.data())
def test_nothing_is_lost_or_doubled_when_shares_run_out(parts: list[list[int]], data: st.DataObject) -> None:
    weight = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(parts), max_size=len(parts))))
    merged = list(share_out(parts, weight, key=lambda item: item))
    assert sorted(merged) == sorted({item for part in parts for item in part})


def test_a_part_without_a_share_comes_after_all_the_others() -> None:
    assert list(share_out(["abc", "xyz"], np.array([0.0, 1.0]), key=str)) == list("xyzabc")
