"""Ensemble acquisition: the decisions that models trained with other seeds disagree about.

Beluch et al., The Power of Ensembles for Active Learning in Image Classification, CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spam_model.active.baselines.pool import PerDecision, QuestionPool
from spam_model.active.baselines.rescoring import Opinion, disagreement
from spam_model.active.session import Session
from spam_model.errors import InputError
from spam_model.values import LabelResult, Query

LEAST_OTHERS = 2


class Ensemble:
    """Mutual information between the decision and the model, over the labelling model and the others.

    All give their calibrated probability of the same boxes and edges.

    Raises:
        InputError: fewer than two other models.
    """

    name = "ensemble"

    def __init__(self, others: Sequence[Opinion]) -> None:
        if len(others) < LEAST_OTHERS:
            raise InputError(
                f"strategy {self.name!r} needs the weights of {LEAST_OTHERS} or more other models, got {len(others)}; "
                "give files that spam-model train made with other seeds"
            )
        self._others = tuple(others)

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        everything = np.ones(len(result.candidates), bool)
        opinions = [other(result.candidates, result.hierarchy, everything) for other in self._others]
        pool = QuestionPool(result)
        return pool.ranked(pool.highest(disagreement([PerDecision.probabilities(result), *opinions])))
