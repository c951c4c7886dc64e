"""Ways to get tracks from the same candidates, by name: the model under its settings, a tracker, the perfect choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from spam_model.device import resolve_device
from spam_model.evaluation.bounds import perfect_choice
from spam_model.evaluation.reference_tracker import byte_track, filled
from spam_model.graph.model import SHIPPED_WEIGHTS, Decision, SpamModel
from spam_model.labeler import Labeler
from spam_model.values import Candidates, GroundTruth, Labels


class Contender(Protocol):
    """``name`` tells contenders apart; several of one name are runs of one thing, other seeds say."""

    @property
    def name(self) -> str: ...

    def labels(self, candidates: Candidates, truth: GroundTruth) -> Labels: ...


@dataclass(frozen=True)
class Spam:
    """The model without a click. ``decision``: None for that of the weights."""

    name: str = "SPAM"
    weights: Path | None = None
    device: str = "auto"
    decision: Decision | None = None

    def labels(self, candidates: Candidates, truth: GroundTruth) -> Labels:
        return load_labeler(self.weights, self.device, self.decision).label(candidates).labels


@dataclass(frozen=True)
class Fixed:
    """What has no weights: a reference tracker or a bound."""

    name: str
    of: Callable[[Candidates, GroundTruth], Labels]

    def labels(self, candidates: Candidates, truth: GroundTruth) -> Labels:
        return self.of(candidates, truth)


@lru_cache(maxsize=2)
def load_labeler(weights: Path | None, device: str, decision: Decision | None = None) -> Labeler:
    """As ``Labeler.load``, once in a process; with another ``decision`` at the node level where one is given."""
    model = load_model(weights)
    if decision is not None:
        model.decision = decision
    return Labeler(model, resolve_device(device))


def load_model(weights: Path | None) -> SpamModel:
    """The weights of this file, or the shipped ones."""
    return SpamModel.load(weights or SHIPPED_WEIGHTS)


def references() -> list[Fixed]:
    """ByteTrack, as it is and with its gaps filled."""
    return [Fixed("ByteTrack", _byte_track), Fixed("ByteTrack, gaps ≤ 20 filled", _byte_track_filled)]


def bound() -> Fixed:
    """Perfect choice among the candidates, gaps filled."""
    return Fixed("perfect choice", perfect_choice)


def switch_offs(weights: Path | None, device: str, high: float, probability: float) -> list[Spam]:
    """Table 1 of the SPAM paper: the model with its over-complete candidates and its node level switched off.

    Nothing is trained anew. In the last two the node level sees all candidates; they differ in who decides.

    Args:
        high: least score of a high-score candidate, as a share of the clip's strong scores (90th percentile).
        probability: least probability where the learned node level decides.
    """
    by_score = Decision().threshold
    variants = {
        "high scores only": Decision(learned=False, threshold=high),
        "low scores too, no node level": Decision(learned=False, threshold=0.0),
        f"node level, score decides (≥ {by_score:g} of strong)": Decision(learned=False, threshold=by_score),
        f"node level, learned decides (p ≥ {probability:g})": Decision(learned=True, threshold=probability),
    }
    return [Spam(name, weights, device, decision) for name, decision in variants.items()]


def _byte_track(candidates: Candidates, truth: GroundTruth) -> Labels:
    return byte_track(candidates)


def _byte_track_filled(candidates: Candidates, truth: GroundTruth) -> Labels:
    return filled(byte_track(candidates))
