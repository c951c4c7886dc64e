"""Two schemes side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from spam_model.active.baselines.coreset import Coreset
from spam_model.active.baselines.entropy import BoxEntropy
from spam_model.active.baselines.pair import Pair
from spam_model.values import Query, QueryKind
from tests.spam_model.active.baselines.schemes import ranked, result


def of_kind(kind: QueryKind, queries: Sequence[Query]) -> list[Query]:
    return [query for query in queries if query.kind is kind]


def test_boxes_come_from_the_first_and_links_from_the_second_each_in_their_order() -> None:
    boxes, links = BoxEntropy(), Coreset()
    pair = Pair(boxes, links)
    queries = list(pair.rank(result(False)))
    assert pair.name == "box-entropy/coreset"
    for kind, scheme in ((QueryKind.DETECTION, boxes), (QueryKind.ASSOCIATION, links)):
        assert of_kind(kind, queries) == of_kind(kind, ranked(scheme.name))


def test_they_take_turns_until_one_has_no_more() -> None:
    queries = list(Pair(BoxEntropy(), BoxEntropy()).rank(result(False)))
    both = 2 * min(len(of_kind(kind, queries)) for kind in (QueryKind.DETECTION, QueryKind.ASSOCIATION))
    assert all(first.kind is not second.kind for first, second in pairwise(queries[:both]))
    assert len({query.kind for query in queries[both:]}) == 1
