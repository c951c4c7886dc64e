"""Small clips for tests of the training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spam_model.simulation import sample_config, simulate
from spam_model.training.sources import Labelled


@dataclass(frozen=True)
class SmallCrowds:
    """Simulated crowds of a few people; the short clips lack levels that the long ones have."""

    name: str = "small crowds"
    frames: tuple[int, ...] = (8, 24)
    people: float = 3.0

    def draw(self, rng: np.random.Generator) -> Labelled:
        config = replace(
            sample_config(rng), people=self.people, transient=0.3, clutter=2, frame_count=int(rng.choice(self.frames))
        )
        clip = simulate(config, int(rng.integers(2**31)))
        return Labelled.known(clip.candidates, clip.identity)
