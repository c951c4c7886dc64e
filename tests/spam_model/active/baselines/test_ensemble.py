"""Ensemble acquisition: asks where models disagree."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.active.baselines.ensemble import Ensemble
from spam_model.active.baselines.pool import QuestionPool
from spam_model.active.baselines.rescoring import opinion_of
from spam_model.active.strategies import worth_asking
from spam_model.errors import InputError
from spam_model.values import binary_entropy
from tests.spam_model.active.baselines.schemes import affirmed, ranked, result, untrained


@pytest.mark.parametrize("answered", [False, True])
def test_models_that_are_the_same_have_nothing_to_ask(answered: bool) -> None:
    same = opinion_of(device="cpu")
    assert list(worth_asking(Ensemble([same, same]), affirmed() if answered else result(False))) == []


def test_the_first_question_is_the_one_that_the_models_disagree_about_most() -> None:
    this = result(False)
    everything = np.ones(len(this.candidates), bool)
    opinions = [untrained(seed)(this.candidates, this.hierarchy, everything) for seed in (1, 2)]
    levels = this.hierarchy.levels
    largest = -1.0
    for mine, *theirs in [
        (this.hierarchy.node_probability, *(opinion.node for opinion in opinions)),
        *((level.probability, *(opinion.edges[i] for opinion in opinions)) for i, level in enumerate(levels)),
    ]:
        p = np.stack([mine, *theirs])
        gain = binary_entropy(p.mean(axis=0)) - binary_entropy(p).mean(axis=0)
        largest = max(largest, float(gain.max(initial=-1)))
    assert ranked("ensemble")[0].value == pytest.approx(largest)
    assert largest > 0.1


def test_two_others_are_the_least() -> None:
    with pytest.raises(InputError, match=r"2 or more other models, got 1"):
        Ensemble([untrained(1)])


def test_only_open_questions_are_asked() -> None:
    pool = QuestionPool(result(True))
    assert len(ranked("ensemble", True)) <= pool.open.sum()
