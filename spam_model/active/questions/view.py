"""What all questions about one result need, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spam_model.active.questions.rows import rows_per_track
from spam_model.graph.scene import Scene
from spam_model.values import LabelResult
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

STRONG_PERCENTILE = 90  # of the clip's scores


def logit(probability: FloatArray) -> FloatArray:
    """ln p / (1 − p), within ±6."""
    p = np.clip(np.asarray(probability, np.float64), 1e-9, 1 - 1e-9)
    return np.asarray(np.clip(np.log(p / (1 - p)), -6.0, 6.0))


@dataclass(frozen=True)
class ReviewView:
    """``result`` as track review sees it."""

    result: LabelResult

    @cached_property
    def scene(self) -> Scene:
        return Scene.of(self.result.candidates)

    @cached_property
    def tracks(self) -> dict[int, IntArray]:
        """Rows of each track of the hierarchy, in time order, those held back included."""
        return rows_per_track(self.result.hierarchy.track_of)

    @cached_property
    def pushed(self) -> BoolArray:
        """[N]: whether the candidate is a label."""
        return np.isin(self.result.candidates.id, self.result.labels.candidate_id)

    @cached_property
    def strength(self) -> FloatArray:
        """[N]: score as a share of the clip's strong scores."""
        score = self.result.candidates.score
        return np.asarray(score / max(float(np.percentile(score, STRONG_PERCENTILE)), 1e-6)) if len(score) else score

    @cached_property
    def node_logit(self) -> FloatArray:
        """[N]: of the calibrated probability that the candidate is an object."""
        return logit(self.result.hierarchy.node_probability)

    @cached_property
    def link_logit(self) -> FloatArray:
        """[N]: of the chosen link that leads on from the candidate, 6 where none was in doubt."""
        return logit(self.result.hierarchy.link_probability())
