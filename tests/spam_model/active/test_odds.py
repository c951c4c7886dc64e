"""The odds of the questions: a logistic function per topic, kept in a file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spam_model.active.odds import CONTINUATION, Odds, shipped_odds
from spam_model.active.questions import boxes, crossings, links, occurrences, places, runs, tracks
from spam_model.errors import FormatError
from spam_model.values import Topic

FEATURES = {
    Topic.TRACK: tracks.FEATURES,
    Topic.DROPPED: tracks.FEATURES,
    Topic.CROSSING: crossings.FEATURES,
    Topic.GAP: links.FEATURES,
    Topic.RUN: runs.FEATURES,
    Topic.MISSED: runs.FEATURES,
    Topic.FIT: boxes.FEATURES,
    Topic.PLACE: places.FEATURES,
    Topic.FILLED: places.FEATURES,
    CONTINUATION: occurrences.PAIR_FEATURES,
}
SHIPPED = json.loads(shipped_odds().to_json())


def odds_of(*weights: float) -> Odds:
    return Odds({Topic.FIT: np.array(weights)})


def test_the_shipped_odds_have_a_weight_for_every_feature_and_a_bias() -> None:
    """A draft that got another feature needs the odds to be fitted anew."""
    assert {name: len(weight) - 1 for name, weight in shipped_odds().weights.items()} == {
        str(name): len(features) for name, features in FEATURES.items()
    }


def test_no_topic_lacks_odds_but_the_one_that_follows_from_pairs() -> None:
    assert set(Topic) - FEATURES.keys() == {Topic.NEXT}


@pytest.mark.parametrize(
    ("weights", "features", "expected"),
    [
        ((0.0, 0.0), [[5.0]], [0.5]),
        ((1.0, 0.0), [[0.0], [np.log(3)], [-np.log(3)]], [0.5, 0.75, 0.25]),
        ((0.0, np.log(4)), [[9.0]], [0.8]),
        ((1.0, -2.0, 0.5), [[1.5, 1.0]], [0.5]),
        ((1.0, 0.0), [[-2000.0], [2000.0]], [0.0, 1.0]),
        ((1.0, 0.0), np.zeros((0, 1)), []),
    ],
)
def test_they_are_logistic(weights: tuple[float, ...], features: list[list[float]], expected: list[float]) -> None:
    assert odds_of(*weights).probability(Topic.FIT, np.array(features)) == pytest.approx(expected)


@pytest.mark.parametrize("name", FEATURES)
@given(data=st.data())
def test_nothing_is_quite_certain_by_the_shipped_odds(name: Topic, data: st.DataObject) -> None:
    shape = (data.draw(st.integers(0, 4)), len(FEATURES[name]))
    features = data.draw(arrays(np.float64, shape, elements=st.floats(-2, 2)))
    chance = shipped_odds().probability(name, features)
    assert chance.shape == shape[:1]
    assert ((chance > 0) & (chance < 1)).all()


@given(st.fixed_dictionaries({str(name): st.lists(st.floats(-9, 9), min_size=2, max_size=5) for name in FEATURES}))
def test_they_read_as_they_were_written(weights: dict[str, list[float]]) -> None:
    written = Odds({name: np.array(weight) for name, weight in weights.items()}).to_json()
    again = Odds.from_json(written)
    assert again.to_json() == written
    for name, weight in weights.items():
        assert again.weights[name] == pytest.approx(weight, abs=5.1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "do not read"),
        ("odds", "do not read"),
        ("3", "do not read"),
        ("null", "do not read"),
        ("[1, 2]", "do not read"),
        ("{}", "lack continuation, crossing, dropped"),
        (json.dumps({**SHIPPED, "fit": "many"}), "do not read"),
        (json.dumps({**SHIPPED, "fit": [1.0, "many"]}), "do not read"),
        (json.dumps({**SHIPPED, "fit": [1.0, [2.0]]}), "do not read"),
        (json.dumps({**SHIPPED, "fit": {"bias": 1.0}}), "do not read"),
        (json.dumps({**SHIPPED, "fit": 1.0}), "do not read"),
        (json.dumps({**SHIPPED, "fit": []}), "do not read"),
        (json.dumps({**SHIPPED, "fit": [[1.0, 2.0]]}), "do not read"),
        (json.dumps({**SHIPPED, "fit": [float("nan"), 1.0]}), "do not read"),
        (json.dumps({name: weight for name, weight in SHIPPED.items() if name != "gap"}), "lack gap; train anew"),
    ],
)
def test_what_are_no_odds_is_said(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Odds.from_json(text)
