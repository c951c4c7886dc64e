"""Whole images and single boxes by entropy, against plain loops."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby

import numpy as np
import pytest

from spam_model.active.baselines.pool import QuestionPool
from spam_model.values import Query, QueryKind
from tests.spam_model.active.baselines.schemes import ranked, result


def asked_frame(query: Query) -> int:
    return query.subject[-1].frame


@pytest.mark.parametrize("answered", [False, True])
def test_a_frame_is_asked_as_a_whole_before_the_next(answered: bool) -> None:
    queries = ranked("image-entropy", answered)
    frames = [frame for frame, _ in groupby(queries, key=asked_frame)]
    assert len(frames) == len(set(frames))
    pool = QuestionPool(result(answered))
    boxes = dict.fromkeys(frames, 0) | dict(
        zip(*np.unique(pool.frame[pool.open & (pool.level == 0)], return_counts=True), strict=True)
    )
    for frame, of_frame in groupby(queries, key=asked_frame):
        kinds = [query.kind for query in of_frame]
        assert kinds.count(QueryKind.DETECTION) == boxes[frame]
        assert kinds == sorted(kinds, reverse=True)  # detections, then associations


def test_a_frame_is_worth_the_mean_entropy_of_its_questions() -> None:
    entropy: dict[int, list[float]] = defaultdict(list)
    queries = ranked("image-entropy")
    for query in queries:
        entropy[asked_frame(query)].append(query.uncertainty)
    assert all(query.value == pytest.approx(np.mean(entropy[asked_frame(query)])) for query in queries)


def test_boxes_and_their_next_occurrences_are_asked_by_their_own_entropy() -> None:
    queries = ranked("box-entropy")
    assert all(query.value == query.uncertainty for query in queries)
    assert sum(query.kind is QueryKind.DETECTION for query in queries) == len(result(False).candidates)
    last = [query.subject[-1].candidate_id for query in queries if query.kind is QueryKind.ASSOCIATION]
    assert len(last) == len(set(last))
