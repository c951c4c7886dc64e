"""Where training clips come from: a source draws candidates of which it is known what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from spam_model.simulation import sample_config, simulate
from spam_model.values import Candidates
from spam_model.values.candidates import FloatArray, IntArray

MOST_CANDIDATES = (800, 5000)  # of a clip, by shortening crowded ones; most clips small, so that many are seen
SHORTEST = 16  # frames
LONGEST = 512  # frames
_CANDIDATES_PER_PERSON = 2.0


@dataclass(frozen=True)
class Labelled:
    """Candidates and what they show.

    Attributes:
        identity: [N] int64, truth track, -1 for a false positive.
        weight: [N] float32, how much what is said of a candidate counts: 1 known, 0 not known, more where a person
            said it.
    """

    candidates: Candidates
    identity: IntArray
    weight: FloatArray

    @classmethod
    def known(cls, candidates: Candidates, identity: IntArray) -> Labelled:
        return cls(candidates, identity, np.ones(len(candidates), np.float32))

    def take(self, rows: IntArray) -> Labelled:
        return Labelled(self.candidates.take(rows), self.identity[rows], self.weight[rows])

    def seen_in(self, candidates: Candidates) -> Labelled:
        """The same said of ``candidates``: some of these, by id, in other frames or places perhaps."""
        rows = self.candidates.rows_of(candidates.id)
        return Labelled(candidates, self.identity[rows], self.weight[rows])


class Source(Protocol):
    """Draws clips. Whatever is random about a clip comes from ``rng``, so that a clip can be drawn again."""

    @property
    def name(self) -> str:
        """For the card and for checkpoints."""

    def draw(self, rng: np.random.Generator) -> Labelled:
        """A clip of at most 512 frames; it may turn out empty."""


@dataclass(frozen=True)
class Simulated:
    """Random simulated crowds; half of the clips have neither appearance nor motion, as clips without pixels."""

    name: str = "simulated"

    def draw(self, rng: np.random.Generator) -> Labelled:
        config = sample_config(rng)
        longest = longest_clip(rng, _CANDIDATES_PER_PERSON * config.people)
        config = replace(config, frame_count=min(config.frame_count, longest), followed=True)
        clip = simulate(config, int(rng.integers(2**31)))
        candidates = clip.candidates
        if rng.random() < 0.5:
            candidates = replace(candidates, embedding=np.zeros((len(candidates), 0), np.float32), motion=None)
        return Labelled.known(candidates, clip.identity)


@dataclass(frozen=True)
class Mixed:
    """Each clip from one of several sources, as often from each."""

    sources: tuple[Source, ...]

    @property
    def name(self) -> str:
        return " + ".join(source.name for source in self.sources)

    def draw(self, rng: np.random.Generator) -> Labelled:
        return self.sources[int(rng.integers(len(self.sources)))].draw(rng)


def mixed(sources: Sequence[Source]) -> Source:
    """One source of several; a single one is itself."""
    return sources[0] if len(sources) == 1 else Mixed(tuple(sources))


def longest_clip(rng: np.random.Generator, candidates_per_frame: float) -> int:
    """A random length at which the clip holds 800 … 5000 candidates, in frames."""
    most = float(np.exp(rng.uniform(*np.log(MOST_CANDIDATES))))
    return int(np.clip(most / max(candidates_per_frame, 1e-3), SHORTEST, LONGEST))
