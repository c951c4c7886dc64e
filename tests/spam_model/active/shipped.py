"""The shipped weights on simulated clips, made once for all tests of this folder."""

from __future__ import annotations

from functools import cache

from spam_model.active.loop import Round, run_rounds
from spam_model.active.oracle import Oracle
from spam_model.active.registry import DEFAULT_STRATEGY, create_strategy
from spam_model.active.session import Session
from spam_model.evaluation.effort import truth_effort
from spam_model.labeler import Labeler
from spam_model.simulation import SimulatedClip, SimulationConfig, simulate
from spam_model.values import Ledger

STRATEGIES = (DEFAULT_STRATEGY, "spam")  # the baselines have tests of their own
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


LONG_RUNS = (101, 105)


@cache
def hard_clip(seed: int) -> SimulatedClip:
    """Few frames a second and a weak detector: tracks with gaps and swaps, and much that is in doubt."""
    config = SimulationConfig(frame_count=60, people=12, frame_rate=10.0, base_logit=1.5, transient=1.0)
    return simulate(config, seed)


@cache
def long_run(seed: int) -> tuple[Round, ...]:
    """Four rounds of track review about a hard clip, answered without an error."""
    this = hard_clip(seed)
    session = Session(Ledger.for_fraction(truth_effort(this.truth), 0.15), rounds=4)
    oracle = Oracle(this.candidates, this.truth)
    return tuple(run_rounds(this.candidates, labeler().label, create_strategy(DEFAULT_STRATEGY), oracle, session))
