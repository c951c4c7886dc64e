"""The schemes under test and the results they rank: before any question, and with answers in force."""

from __future__ import annotations

from functools import cache

from spam_model.active.baselines.consistency import Consistency
from spam_model.active.baselines.coreset import Coreset
from spam_model.active.baselines.ensemble import Ensemble
from spam_model.active.baselines.entropy import BoxEntropy, ImageEntropy
from spam_model.active.baselines.pair import Pair
from spam_model.active.baselines.random_questions import RandomQuestions
from spam_model.active.baselines.rescoring import Opinion, opinion_of, rescore
from spam_model.active.hierarchical_entropy import HierarchicalEntropy
from spam_model.active.strategies import Strategy
from spam_model.values import ConstraintKind, Constraints, LabelResult, Query
from tests.spam_model.active import shipped
from tests.spam_model.graph.worlds import random_model

SEED = 2


def result(answered: bool) -> LabelResult:
    return shipped.rounds("spam", SEED)[1 if answered else 0].result


@cache
def affirmed() -> LabelResult:
    """With those of the answers in force that reject no box: every model still sees what the first run saw."""
    said = shipped.rounds("spam", SEED)[1].session.constraints
    items = tuple(item for item in said.items if item.kind is not ConstraintKind.REJECT)
    return shipped.labeler().label(shipped.clip(SEED).candidates, Constraints(items))


def untrained(seed: int) -> Opinion:
    model = random_model(seed)
    return lambda candidates, hierarchy, present: rescore(model, candidates, hierarchy, present)


def baselines() -> list[Strategy]:
    return [
        RandomQuestions(seed=1),
        ImageEntropy(),
        BoxEntropy(),
        Coreset(),
        Ensemble([untrained(1), untrained(2)]),
        Consistency(opinion_of(device="cpu"), seed=1),
    ]


def schemes() -> list[Strategy]:
    return [*baselines(), HierarchicalEntropy(), Pair(ImageEntropy(), RandomQuestions())]


@cache
def ranked(name: str, answered: bool = False) -> tuple[Query, ...]:
    """All the questions of the scheme of this name."""
    scheme = next(scheme for scheme in schemes() if scheme.name == name)
    return tuple(scheme.rank(result(answered)))
