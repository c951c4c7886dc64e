"""Consistency acquisition: the decisions that change when the candidates are perturbed.

After Elezi et al., Not All Labels Are Equal: Rationalizing the Labeling Costs for Training Object Detection, CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from spam_model.active.baselines.pool import PerDecision, QuestionPool
from spam_model.active.baselines.rescoring import Opinion, disagreement
from spam_model.active.session import Session
from spam_model.values import Candidates, LabelResult, Query
from spam_model.values.candidates import BoolArray

VIEWS = 4
BOX_JITTER = (0.01, 0.01, 0.02, 0.01)  # of x and y over height, of log width, of log height: twice a detector's
SCORE_NOISE = 0.3  # of the score's logit
DROPPED = 0.05  # share of the candidates that a view lacks


class Consistency:
    """Jensen-Shannon divergence between the decision and the same model's on perturbed candidates.

    Every view has jittered boxes, noise on the scores and some candidates missing; every second one is mirrored.
    """

    name = "consistency"

    def __init__(self, opinion: Opinion, seed: int = 0) -> None:
        self._opinion = opinion
        self._seed = seed

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        random = np.random.default_rng(self._seed)
        opinions = [PerDecision.probabilities(result)]
        for view in range(VIEWS):
            candidates, present = perturbed(result.candidates, random, mirrored=view % 2 == 1)
            opinions.append(self._opinion(candidates, result.hierarchy, present))
        pool = QuestionPool(result)
        return pool.ranked(pool.highest(disagreement(opinions)))


def perturbed(candidates: Candidates, random: np.random.Generator, mirrored: bool) -> tuple[Candidates, BoolArray]:
    """The candidates as another detector might have seen them, and which of them it would have found. [N]."""
    low, high = candidates.box[:, :2], candidates.box[:, 2:]
    size, centre = high - low, (low + high) / 2
    noise = random.normal(size=(len(candidates), 4)) * BOX_JITTER
    centre = centre + noise[:, :2] * size[:, 1:]
    if mirrored:
        centre[:, 0] = candidates.info.width - centre[:, 0]
    half = size * np.exp(noise[:, 2:]) / 2
    score = np.clip(candidates.score, 1e-3, 1 - 1e-3)
    logit = np.log(score / (1 - score)) + SCORE_NOISE * random.normal(size=len(candidates))
    view = replace(
        candidates, box=np.concatenate([centre - half, centre + half], axis=1), score=1 / (1 + np.exp(-logit))
    )
    return view, random.random(len(candidates)) >= DROPPED
