"""Random acquisition: random nodes of random levels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spam_model.active.baselines.pool import QuestionPool
from spam_model.active.session import Session
from spam_model.values import LabelResult, Query


class RandomQuestions:
    """Draws a level, then a question of it, all alike, without putting anything back.

    By exponential clocks: a question of a level of n open ones rings at a time drawn from Exp(1 / n), the first to ring
    is asked first; the value 1 / (1 + time) has the same order.
    """

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        pool = QuestionPool(result)
        size = np.bincount(pool.level[pool.open], minlength=len(result.hierarchy.levels) + 1)
        time = np.random.default_rng(self._seed).exponential(size=len(pool)) * size[pool.level]
        return pool.ranked(1 / (1 + time))
