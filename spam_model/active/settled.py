"""What people have said already, so that nothing is asked twice in other words."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from spam_model.active.questions.occurrences import Continuations
from spam_model.active.session import Session
from spam_model.values import OPTION_LETTERS, ConstraintKind, LabelResult, Query, QueryKind, Topic
from spam_model.values.candidates import BoolArray

# A detection question is settled by earlier ones of these topics about most of its boxes.
SETTLED_BY = {
    Topic.TRACK: (Topic.TRACK, Topic.DROPPED, Topic.MISSED),
    Topic.DROPPED: (Topic.TRACK, Topic.DROPPED, Topic.MISSED),
    Topic.RUN: (Topic.RUN, Topic.MISSED),
    Topic.MISSED: (Topic.TRACK, Topic.DROPPED, Topic.RUN, Topic.MISSED),
}


class Settled:
    """The answers of a session, looked up by what they settle in ``result``."""

    def __init__(self, result: LabelResult, session: Session) -> None:
        self._result = result
        self._ledger = session.ledger
        self._asked: dict[tuple[Topic, int], int] = defaultdict(int)  # (topic, candidate id) -> times
        for query in session.asked:
            if query.topic is not None and query.kind is QueryKind.DETECTION:
                for anchor in query.subject:
                    self._asked[query.topic, anchor.candidate_id] += 1
        followed = {answer.query_id for answer in session.answers if answer.choice in OPTION_LETTERS}
        nexts = [query for query in session.asked if query.topic is Topic.NEXT]
        self._followed = {query.subject[-1].candidate_id for query in nexts if query.id in followed}
        offered = [pair for query in nexts if query.id not in followed for pair in _pairs(query)]
        self._shown = {(query.topic, *pair) for query in session.asked for pair in _pairs(query)}
        candidates, track_of = result.candidates, result.hierarchy.track_of
        links = session.constraints.of_kind(ConstraintKind.MUST_LINK)
        ids = [(item.first.candidate_id, item.second.candidate_id) for item in links if item.second]
        pair = candidates.rows_of(np.array(ids, np.int64).reshape(-1)).reshape(-1, 2)
        pair = np.sort(pair[(pair >= 0).all(axis=1)], axis=1)
        pair = pair[(track_of[pair[:, 0]] == track_of[pair[:, 1]]) & (track_of[pair[:, 0]] >= 0)]
        self._vouched: dict[int, list[tuple[int, int]]] = defaultdict(list)  # track -> stretches of frames, one object
        for first, last in pair.tolist():
            self._vouched[int(track_of[first])].append((int(candidates.frame[first]), int(candidates.frame[last])))
        apart = session.constraints.of_kind(ConstraintKind.CANNOT_LINK)
        ids = [(item.first.candidate_id, item.second.candidate_id) for item in apart if item.second] + offered
        rows = candidates.rows_of(np.array(ids, np.int64).reshape(-1)).reshape(-1, 2)
        self._apart = rows[(rows >= 0).all(axis=1)]

    def covers(self, query: Query) -> bool:
        """Whether the answer is known: asked before, in these or nearly these words, or vouched for."""
        if self._ledger.knows(query.id):
            return True
        if query.topic in SETTLED_BY:
            settled_by = SETTLED_BY[query.topic]
            asked = sum(any(self._asked.get((topic, a.candidate_id)) for topic in settled_by) for a in query.subject)
            return 2 * asked > len(query.subject)
        if query.topic in (Topic.CROSSING, Topic.GAP):
            expected = _pairs(query)[OPTION_LETTERS.index(query.expected)]
            if (query.topic, *expected) in self._shown:
                return True
            return any(self._is_one_object(query, tracklet) for tracklet in query.options)
        return query.topic is Topic.NEXT and query.subject[-1].candidate_id in self._followed

    def _is_one_object(self, query: Query, option: tuple) -> bool:  # type: ignore[type-arg]
        rows = self._result.candidates.rows_of(np.array([query.subject[-1].candidate_id, option[0].candidate_id]))
        first, last = self._result.hierarchy.track_of[rows].tolist()
        start, end = query.subject[-1].frame, option[0].frame
        return first == last and any(a <= start and b >= end for a, b in self._vouched[first])

    def known_apart(self, found: Continuations) -> BoolArray:
        """[E]: pairs of fragments that people said to differ, or could not tell."""
        fragment = np.full(len(self._result.candidates), -1)
        for number, rows in enumerate(found.fragments):
            fragment[rows] = number
        count = len(found.fragments)
        pair = np.sort(fragment[self._apart], axis=1)
        pair = pair[(pair >= 0).all(axis=1)]
        edge = np.sort(found.edge, axis=0)
        return np.isin(edge[0] * count + edge[1], pair[:, 0] * count + pair[:, 1])


def _pairs(query: Query) -> list[tuple[int, int]]:
    """The ends that a link question is about: last box of the subject, first box of each option."""
    return [(query.subject[-1].candidate_id, option[0].candidate_id) for option in query.options]
