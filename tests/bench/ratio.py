"""A pair of measurements, ours and a named reference's, and how long something takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """``ours`` over ``theirs``, both in ``unit``."""

    what: str
    reference: str
    unit: str
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


def both_seconds(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The least of a few times of each, taken in turns, so that a machine that slows down slows down both."""
    times = [(seconds(ours, 1), seconds(theirs, 1)) for _ in range(repeats)]
    return min(ours for ours, _ in times), min(theirs for _, theirs in times)


def seconds(action: Callable[[], object], repeats: int = 5) -> float:
    """The least of a few times: what the work takes when nothing else disturbs it."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)
