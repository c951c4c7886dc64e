"""The shipped weights on simulated clips, made once for all tests of this folder."""

from __future__ import annotations

from functools import cache

from spam_model.active.loop import Round, run_rounds
from spam_model.active.oracle import Oracle
from spam_model.active.session import Session
from spam_model.active.strategies import create_strategy
from spam_model.evaluation.effort import truth_effort
from spam_model.labeler import Labeler
from spam_model.simulation import SimulatedClip, SimulationConfig, simulate
from spam_model.values import Ledger

SEEDS = (1, 2, 3)
BUDGET = 0.1


@cache
def labeler() -> Labeler:
    return Labeler.load(device="cpu")


@cache
def clip(seed: int) -> SimulatedClip:
    return simulate(SimulationConfig(frame_count=60, people=10), seed)


@cache
def rounds(strategy: str, seed: int) -> tuple[Round, ...]:
    """Two rounds of questions about a clip, answered without an error."""
    this = clip(seed)
    session = Session(Ledger.for_fraction(truth_effort(this.truth), BUDGET), rounds=2)
    oracle = Oracle(this.candidates, this.truth)
    return tuple(run_rounds(this.candidates, labeler().label, create_strategy(strategy), oracle, session))
