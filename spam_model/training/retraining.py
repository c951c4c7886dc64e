"""Multi-round self-training: between rounds the model learns from its labels, and from what people said about them."""

from __future__ import annotations

from dataclasses import replace

from spam_model.graph.model import SpamModel
from spam_model.labeler import Labeler
from spam_model.training.adapt import GENTLY, adapt
from spam_model.training.loop import Schedule
from spam_model.values import Candidates, Constraints, LabelResult


class Retraining:
    """Labels one clip round after round; each round with answers starts from the model that the last one kept.

    Unlike ``Labeler`` it remembers: the model. The student of a round stays only where its labels are more consistent,
    see ``spam_model.training.consistency``.
    """

    def __init__(self, model: SpamModel, schedule: Schedule = GENTLY, seed: int = 0) -> None:
        self.model = model
        self._schedule = schedule
        self._seed = seed
        self._rounds = 0

    @classmethod
    def for_minutes(cls, model: SpamModel, minutes: float, seed: int = 0) -> Retraining:
        """``minutes``: of training between two rounds."""
        return cls(model, replace(GENTLY, minutes=minutes), seed)

    def label(self, candidates: Candidates, constraints: Constraints) -> LabelResult:
        if len(constraints):
            self._rounds += 1
            seed = self._seed + self._rounds
            self.model = adapt(self.model, [candidates], [constraints], self._schedule, seed).model
        return Labeler(self.model, self.model.device).label(candidates, constraints)
