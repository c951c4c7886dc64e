"""Consistency acquisition: perturbed candidates, and questions where they change the decision."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from spam_model.active.baselines.consistency import DROPPED, VIEWS, Consistency, perturbed
from spam_model.active.baselines.pool import PerDecision
from spam_model.active.baselines.rescoring import opinion_of
from spam_model.active.strategies import worth_asking
from spam_model.geometry import iou_rows
from spam_model.values import Candidates, Hierarchy
from spam_model.values.candidates import BoolArray
from tests.spam_model.active import shipped
from tests.spam_model.active.baselines.schemes import ranked, result

CANDIDATES = shipped.clip(1).candidates


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_perturbed_box_is_nearly_where_it_was(mirrored: bool) -> None:
    view, present = perturbed(CANDIDATES, np.random.default_rng(0), mirrored)
    box = view.box.copy()
    if mirrored:
        box[:, [0, 2]] = CANDIDATES.info.width - box[:, [2, 0]]
    assert 0.85 < np.median(iou_rows(box, CANDIDATES.box)) < 0.99
    assert not np.allclose(view.score, CANDIDATES.score, atol=0.01)
    assert ((view.score > 0) & (view.score < 1)).all()
    assert 0.5 * DROPPED < 1 - present.mean() < 2 * DROPPED
    assert (view.id == CANDIDATES.id).all() and (view.frame == CANDIDATES.frame).all()


def test_another_seed_perturbs_otherwise() -> None:
    other = Consistency(opinion_of(device="cpu"), seed=2).rank(result(False))
    assert [query.id for query in islice(other, 50)] != [query.id for query in ranked("consistency")[:50]]


def test_a_model_that_nothing_changes_has_nothing_to_ask() -> None:
    def unmoved(candidates: Candidates, hierarchy: Hierarchy, present: BoolArray) -> PerDecision:
        return PerDecision(hierarchy.node_probability, tuple(level.probability for level in hierarchy.levels))

    assert list(worth_asking(Consistency(unmoved), result(False))) == []


def test_only_what_changes_is_asked_about() -> None:
    doubtful, seen = 7, []

    def moved(candidates: Candidates, hierarchy: Hierarchy, present: BoolArray) -> PerDecision:
        seen.append(candidates.box[:, 0].mean())
        node = hierarchy.node_probability.copy()
        node[doubtful] = 1 - node[doubtful]
        return PerDecision(node, tuple(level.probability for level in hierarchy.levels))

    (query,) = worth_asking(Consistency(moved), result(False))
    assert query.subject[0].candidate_id == result(False).candidates.id[doubtful]
    assert len(set(seen)) == len(seen) == VIEWS
