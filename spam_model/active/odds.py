"""How likely it is that an answer changes the labels: one logistic function per topic, fitted on simulated clips.

    P(error) = σ(w · x + b)

Fitted by ``spam_model.training.question_odds`` on the zero-click labels of simulated clips and an oracle's answers, so
that questions about different things can be compared; nothing is fitted on video or on people's labels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.special import expit

from spam_model.errors import FormatError
from spam_model.values import Topic
from spam_model.values.candidates import FloatArray

SHIPPED_ODDS = Path(__file__).parent.parent / "weights" / "questions.json"
CONTINUATION = "continuation"  # of a pair of fragments, from which the odds of ``Topic.NEXT`` follow


@dataclass(frozen=True)
class Odds:
    """``weights``: [K + 1] of each topic, the bias last."""

    weights: dict[str, FloatArray]

    def probability(self, topic: Topic | str, features: FloatArray) -> FloatArray:
        """[M, K] -> [M]."""
        weight = self.weights[str(topic)]
        return np.asarray(expit(features @ weight[:-1] + weight[-1]))

    def to_json(self) -> str:
        rounded = {name: [round(float(w), 4) for w in weight] for name, weight in sorted(self.weights.items())}
        return json.dumps(rounded, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Odds:
        """
        Raises:
            FormatError: not what ``to_json`` wrote.
        """
        try:
            rows = dict(json.loads(text)).items()
            weights: dict[str, FloatArray] = {str(name): np.array(weight, np.float64) for name, weight in rows}
        except (AttributeError, TypeError, ValueError) as error:
            raise FormatError(f"the odds of the questions do not read ({error})") from error
        for name, weight in weights.items():
            if weight.ndim != 1 or len(weight) == 0 or not np.isfinite(weight).all():
                raise FormatError(f"the odds of the questions do not read ({name} is no list of numbers)")
        if missing := {*map(str, Topic), CONTINUATION} - {str(Topic.NEXT)} - weights.keys():
            raise FormatError(f"the odds of the questions lack {', '.join(sorted(missing))}; train anew")
        return cls(weights)


@lru_cache(maxsize=1)
def shipped_odds() -> Odds:
    return Odds.from_json(SHIPPED_ODDS.read_text())
