"""What each process of the test of several processes runs: a few steps, then its weights into a file."""

from __future__ import annotations

import sys
from pathlib import Path

from spam_model.training import loop
from spam_model.training.loop import Schedule, train
from spam_model.training.ranks import joined
from tests.spam_model.training.clips import SmallCrowds

if __name__ == "__main__":
    loop.STATISTICS_CLIPS = 2
    with joined("cpu") as ranks:
        done = train(SmallCrowds(), Schedule(steps=3, unlocked_after=0.0), seed=1, ranks=ranks)
        done.model.save(Path(sys.argv[1]) / f"{ranks.rank}-of-{ranks.size}.safetensors", {"on": ranks.in_words()})
