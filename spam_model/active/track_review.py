"""``track-review``, our default acquisition: questions about tracks, ranked by expected label error removed per click.

    value = P(the answer changes the labels) · boxes at stake / clicks

Edge entropy spends clicks on links that a higher level mends by itself, and is blind to swaps of which the model is
sure. The odds come from simulation (``odds``); how this clip differs from it shows in the answers: with c changes found
where C were expected, a topic's odds are multiplied by (a + c) / (a + C), the mean of a Gamma-Poisson posterior.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from spam_model.active.answers import changes_labels
from spam_model.active.odds import CONTINUATION, Odds, shipped_odds
from spam_model.active.questions import (
    Draft,
    ReviewView,
    continuations,
    crossing_drafts,
    fit_drafts,
    gap_drafts,
    missed_drafts,
    next_drafts,
    place_drafts,
    run_drafts,
    track_drafts,
)
from spam_model.active.session import Session
from spam_model.active.settled import Settled
from spam_model.values import LabelResult, Ledger, Query, Topic
from spam_model.values.candidates import FloatArray

PRIOR = 5.0  # a, in changes
BUILDERS = (track_drafts, crossing_drafts, gap_drafts, run_drafts, missed_drafts, fit_drafts, place_drafts)


class TrackReview:
    name = "track-review"

    def __init__(self, odds: Odds | None = None) -> None:
        self._odds = odds or shipped_odds()

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        session = session or Session(Ledger(full=0, budget=0))
        view, settled = ReviewView(result), Settled(result, session)
        learned = learned_factors(session)
        drafts = self.drafts(view, settled)
        chance = self.chances(drafts) * np.array([learned.get(draft.topic, 1.0) for draft in drafts])
        chance = np.minimum(chance, 1.0)
        value = chance * np.array([draft.stake / draft.clicks for draft in drafts])
        for index in np.argsort(-value, kind="stable").tolist():
            query = drafts[index].worded(float(chance[index]))
            if not settled.covers(query):
                yield query

    def drafts(self, view: ReviewView, settled: Settled) -> list[Draft]:
        drafts = [draft for build in BUILDERS for draft in build(view)]
        found = continuations(view)
        chance = self._odds.probability(CONTINUATION, found.features)
        chance[settled.known_apart(found)] = 0.0
        return drafts + list(next_drafts(view, found, chance))

    def chances(self, drafts: list[Draft]) -> FloatArray:
        """P(error) of each draft, by what simulation taught. [D]."""
        result = np.zeros(len(drafts))
        by_topic: dict[Topic, list[int]] = defaultdict(list)
        for index, draft in enumerate(drafts):
            by_topic[draft.topic].append(index)
        for topic, rows in by_topic.items():
            features = np.array([drafts[row].features for row in rows])
            result[rows] = features[:, 0] if topic is Topic.NEXT else self._odds.probability(topic, features)
        return result


def learned_factors(session: Session) -> dict[Topic, float]:
    """By what factor the answers so far were more (or less) often surprising than expected, per topic."""
    asked = {query.id: query for query in session.asked}
    expected: dict[Topic, float] = defaultdict(float)
    found: dict[Topic, float] = defaultdict(float)
    for answer in session.answers:
        query = asked[answer.query_id]
        if query.topic is not None and query.vote == 1:
            expected[query.topic] += query.error_probability
            found[query.topic] += changes_labels(query, answer)
    return {topic: (PRIOR + found[topic]) / (PRIOR + expected[topic]) for topic in expected}
