"""Random acquisition: levels alike, questions of a level alike, another seed another order."""

from __future__ import annotations

from itertools import islice

import numpy as np

from spam_model.active.baselines.random_questions import RandomQuestions
from tests.spam_model.active.baselines.schemes import result


def test_another_seed_asks_other_questions() -> None:
    first, second = ({query.id for query in islice(RandomQuestions(s).rank(result(False)), 50)} for s in (0, 1))
    assert len(first & second) < 25


def test_every_level_is_drawn_alike_though_the_boxes_are_most() -> None:
    levels = len(result(False).hierarchy.levels) + 1
    drawn = [next(iter(RandomQuestions(seed).rank(result(False)))).level for seed in range(300)]
    count = np.bincount(drawn, minlength=levels)
    expected = 300 / levels
    assert ((count - expected) ** 2 / expected).sum() < 27  # χ² at 6 degrees of freedom: p = 0.0001
