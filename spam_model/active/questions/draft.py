"""A question before it is worded: what it is worth, and how to put it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from spam_model.values import Query, Topic


@dataclass(frozen=True)
class Draft:
    """
    Attributes:
        features: [K] what the chance of an error depends on, see ``odds``.
        stake: boxes' worth of label error that the answer removes if there is one, see ``stakes``.
        clicks: price.
        build: makes the query, ``value`` and ``error_probability`` left to ``worded``.
    """

    topic: Topic
    features: tuple[float, ...]
    stake: float
    clicks: int
    build: Callable[[], Query]

    def worded(self, error_probability: float) -> Query:
        return replace(
            self.build(),
            topic=self.topic,
            error_probability=error_probability,
            value=error_probability * self.stake / self.clicks,
        )
