"""Second opinions: the labelling model's own is what it said, and disagreement is nothing where all agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.active.baselines.rescoring import mutual_information, opinion_of
from spam_model.errors import InputError
from spam_model.values import binary_entropy
from tests.spam_model.active.baselines.schemes import affirmed, result, untrained

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@pytest.mark.parametrize("answered", [False, True])
def test_the_models_own_opinion_is_what_it_said_where_people_have_not(answered: bool) -> None:
    this = affirmed() if answered else result(False)
    own = opinion_of(device="cpu")(this.candidates, this.hierarchy, np.ones(len(this.candidates), bool))
    said = [this.hierarchy.node_probability, *(level.probability for level in this.hierarchy.levels)]
    for mine, theirs in zip([own.node, *own.edges], said, strict=True):
        unsettled = (theirs > 0) & (theirs < 1)
        assert np.allclose(mine[unsettled], theirs[unsettled], atol=1e-6)


def test_another_model_has_another_opinion() -> None:
    this = result(False)
    other = untrained(1)(this.candidates, this.hierarchy, np.ones(len(this.candidates), bool))
    assert not np.allclose(other.node, this.hierarchy.node_probability, atol=0.05)
    assert np.isfinite(other.node).all() and all(np.isfinite(edge).all() for edge in other.edges)


def test_who_lacks_a_candidate_has_no_opinion_of_it() -> None:
    this = result(False)
    present = np.random.default_rng(0).random(len(this.candidates)) < 0.7
    partial = opinion_of(device="cpu")(this.candidates, this.hierarchy, present)
    assert (np.isfinite(partial.node) == present).all()
    for level, probability in zip(this.hierarchy.levels, partial.edges, strict=True):
        seen = np.bincount(level.node_of[(level.node_of >= 0) & present], minlength=level.node_of.max() + 1) > 0
        assert (np.isfinite(probability) == seen[level.edge].all(axis=0)).all()


def test_weights_that_are_not_there_are_named(tmp_path: object) -> None:
    with pytest.raises(InputError, match=r"nowhere\.safetensors"):
        opinion_of(tmp_path / "nowhere.safetensors")  # type: ignore[operator]


@given(probabilities, st.integers(2, 5))
def test_opinions_that_agree_have_no_mutual_information(p: list[float], count: int) -> None:
    assert mutual_information([np.array(p)] * count) == pytest.approx(np.zeros(len(p)), abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_mutual_information_is_what_the_mean_opinion_is_less_sure_of(p: list[float]) -> None:
    value = mutual_information([np.array([one]) for one in p])[0]
    entropy = [-sum(q * np.log(q) for q in (one, 1 - one) if q > 0) for one in [*p, sum(p) / len(p)]]
    assert value == pytest.approx(entropy[-1] - np.mean(entropy[:-1]), abs=1e-9)
    assert -1e-12 <= value <= np.log(2) + 1e-12


def test_the_largest_mutual_information_is_that_of_sure_and_opposite_opinions() -> None:
    assert mutual_information([np.array([0.0]), np.array([1.0])])[0] == pytest.approx(np.log(2))


def test_a_missing_opinion_does_not_count() -> None:
    opinions = [np.array([0.2, 0.2]), np.array([0.8, np.nan])]
    expected = binary_entropy(np.array(0.5)) - binary_entropy(np.array(0.2))
    assert mutual_information(opinions) == pytest.approx([float(expected), 0.0])
