"""What a report tells: plain values, gathered by whoever ran the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spam_model.data.clip import Image
from spam_model.values import Labels, Query


@dataclass(frozen=True)
class RoundSummary:
    """The state after one round of answers; round 0 is what the model did alone.

    Attributes:
        round: counts from 0.
        clicks: spent so far, all rounds together.
        effort: ``clicks`` over the clicks of labelling everything by hand.
        scores: against ground truth, by name, HOTA and its like in 0–100; None without ground truth.
        seconds: time of the machine in this round.
    """

    round: int
    clicks: int
    effort: float
    scores: Mapping[str, float] | None
    seconds: float


@dataclass(frozen=True)
class AskedQuestion:
    """A question, its card and what people answered: a choice, "confirmed", "moved" …; empty for no answer."""

    round: int
    query: Query
    answer: str
    card: Image


@dataclass(frozen=True)
class ReportData:
    """Everything that the page shows, beside the frames.

    Attributes:
        title: of the page.
        device: what the model ran on.
        model: name of the weights.
        detector: name of the detector.
        detector_simulated: boxes came from noise on ground truth; the page says so in plain sight.
        rounds: in order; may be empty.
        labels: the final tracks, with their uncertainty.
        questions: in the order they were asked.
        stage_seconds: time of each stage, by name.
        retrainings: what came of each, in words.
    """

    title: str
    device: str
    model: str
    detector: str
    labels: Labels
    rounds: tuple[RoundSummary, ...] = ()
    questions: tuple[AskedQuestion, ...] = ()
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    detector_simulated: bool = False
    retrainings: tuple[str, ...] = ()

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of all scores, in the order they first occur; none without ground truth."""
        return tuple(dict.fromkeys(name for item in self.rounds for name in item.scores or ()))

    @property
    def hota(self) -> tuple[tuple[RoundSummary, float], ...]:
        """The rounds that have a HOTA, with it."""
        return tuple(
            (item, value)
            for item in self.rounds
            for name, value in (item.scores or {}).items()
            if name.casefold() == "hota"
        )

    @property
    def story(self) -> str:
        """The report in one line."""
        count = len(self.labels.track_ids)
        parts = [f"{count} track{'' if count == 1 else 's'}"]
        if self.rounds:
            last = self.rounds[-1]
            parts.append(f"{last.clicks} click{'' if last.clicks == 1 else 's'} = {last.effort:.1%} of manual effort")
        if self.hota:
            first, final = self.hota[0][1], self.hota[-1][1]
            parts.append(f"HOTA {first:.1f}" if len(self.hota) == 1 else f"HOTA {first:.1f} → {final:.1f}")
        return ", ".join(parts)
