"""Fitting the odds of the questions, and whether the shipped ones hold on clips that they were not fitted on."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from spam_model.active.odds import CONTINUATION, Odds, shipped_odds
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.training.question_odds import (
    Samples,
    collect,
    fit_odds,
    regression,
    simulated_labels,
    true_continuations,
)
from spam_model.values import Candidates, GroundTruth, LabelResult, Topic
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

CLIPS, SEED = 12, 9000  # not those that the shipped odds were fitted on


@cache
def labelled() -> tuple[tuple[LabelResult, Candidates, GroundTruth], ...]:
    """Fresh clips of the kind that the odds are fitted on: all sorts of scenes, cameras and detectors."""
    return tuple(simulated_labels(SpamModel.load(SHIPPED_WEIGHTS), SEED, CLIPS))


@cache
def samples() -> Samples:
    result: Samples = defaultdict(list)
    for labels, candidates, truth in labelled():
        collect(result, labels, candidates, truth)
    return result


def expected_and_found(odds: Odds, *topics: str) -> tuple[float, float]:
    """How many answers of these topics change the labels: by the odds, and by the oracle."""
    parts = [(topic, *part) for topic in topics for part in samples()[topic] if len(part[0])]
    expected = sum(float(odds.probability(topic, features).sum()) for topic, features, _ in parts)
    return expected, float(sum(changed.sum() for *_, changed in parts))


LINKS = (Topic.CROSSING, Topic.GAP, CONTINUATION)
VALIDITY = (Topic.TRACK, Topic.DROPPED, Topic.RUN, Topic.MISSED)
BOXES = (Topic.FIT, Topic.PLACE, Topic.FILLED)


@pytest.mark.parametrize(
    "topics", [LINKS, VALIDITY, BOXES, (*LINKS, *VALIDITY)], ids=["links", "valid", "boxes", "all"]
)
def test_the_shipped_odds_hold_within_a_factor_of_two_on_fresh_clips(topics: tuple[str, ...]) -> None:
    expected, found = expected_and_found(shipped_odds(), *topics)
    assert found > 10
    assert found / 2 < expected < 2 * found


@pytest.mark.parametrize("topic", [Topic.TRACK, Topic.MISSED, Topic.FIT])
def test_the_shipped_odds_tell_likely_errors_from_unlikely_ones(topic: Topic) -> None:
    """Of two questions, one with and one without an error, the first has the higher odds (area under the ROC curve)."""
    features, changed = (np.concatenate(column) for column in zip(*samples()[topic], strict=True))
    chance = shipped_odds().probability(topic, features)
    above = chance[changed][:, None] - chance[~changed][None, :]
    assert ((above > 0) + (above == 0) / 2).mean() > 0.7


def test_odds_that_are_fitted_expect_as_many_changes_as_there_were() -> None:
    """At the least loss the gradient of the bias, Σ(p − y), is 0."""
    odds = fit_odds(labelled())
    assert {CONTINUATION, Topic.TRACK, Topic.CROSSING, Topic.FIT, Topic.MISSED} <= odds.weights.keys()
    for topic in odds.weights:
        expected, found = expected_and_found(odds, topic)
        assert expected == pytest.approx(found, abs=0.5, rel=0.02)


def made_up(weight: FloatArray, count: int, seed: int) -> tuple[FloatArray, BoolArray]:
    """Features of different scales, and errors drawn by these weights."""
    rng = np.random.default_rng(seed)
    features = rng.normal([0.0, 5.0, -2.0], [1.0, 3.0, 0.2], (count, 3))
    return features, rng.random(count) < 1 / (1 + np.exp(-(features @ weight[:-1] + weight[-1])))


@pytest.mark.parametrize("weight", [[1.0, -0.5, 4.0, 9.0], [0.0, 0.0, 0.0, -1.0], [-2.0, 0.3, 0.0, -3.0]])
def test_known_weights_are_recovered_from_what_they_drew(weight: list[float]) -> None:
    parts = [made_up(np.array(weight), 4000, seed) for seed in range(5)]
    fitted = regression([*parts, (np.zeros((0, 3)), np.zeros(0, bool))])
    features = parts[0][0]
    assert fitted[:-1] == pytest.approx(weight[:-1], abs=0.35)
    assert features @ fitted[:-1] + fitted[-1] == pytest.approx(features @ weight[:-1] + weight[-1], abs=0.35)


@pytest.mark.parametrize("changed", [False, True])
def test_where_all_answers_were_alike_the_odds_stay_finite(changed: bool) -> None:
    features, _ = made_up(np.zeros(4), 50, 0)
    weight = regression([(features, np.full(50, changed))])
    assert np.isfinite(weight).all()
    chance = Odds({Topic.FIT: weight}).probability(Topic.FIT, features)
    assert ((chance > 0.5) == changed).all()


FRAGMENTS: list[IntArray] = [np.arange(0, 4), np.arange(4, 7), np.arange(7, 10), np.arange(10, 12)]


@pytest.mark.parametrize(
    ("identity", "edge", "true", "reason"),
    [
        ([1] * 12, [(0, 1), (0, 2), (1, 2), (1, 3)], [(0, 1), (1, 2)], "the earliest that follows"),
        ([1] * 4 + [2] * 3 + [1] * 5, [(0, 1), (0, 2), (0, 3)], [(0, 2)], "somebody else in between"),
        ([1, 1, 2, 2] + [2] * 8, [(0, 1)], [], "half and half: the object of the lower number"),
        ([1, 1, 1, 2] + [1] * 8, [(0, 1)], [(0, 1)], "most of it"),
        ([1, -1, -1, -1] + [1] * 8, [(0, 1)], [], "mostly clutter"),
        ([-1] * 12, [(0, 1), (1, 2)], [], "clutter"),
        ([-2] * 12, [(0, 1), (1, 2)], [], "a distractor"),
        ([1] * 12, [], [], "no pairs"),
    ],
)
def test_a_fragment_goes_on_in_the_earliest_one_of_its_object(
    identity: list[int], edge: list[tuple[int, int]], true: list[tuple[int, int]], reason: str
) -> None:
    pairs: IntArray = np.array(edge, np.int64).reshape(-1, 2).T
    found = true_continuations(FRAGMENTS, pairs, np.array(identity))
    assert [tuple(pair) for pair in pairs.T[found].tolist()] == true, reason
