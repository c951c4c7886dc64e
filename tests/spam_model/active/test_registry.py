"""Strategies by name."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from spam_model.active.registry import DEFAULT_STRATEGY, STRATEGIES, StrategySettings, create_strategy
from spam_model.errors import InputError
from spam_model.graph.model import SHIPPED_WEIGHTS
from tests.spam_model.active.baselines.schemes import ranked, result
from tests.spam_model.graph.worlds import random_model

FIG_5 = {"random", "image-entropy", "box-entropy", "coreset", "ensemble", "consistency", "spam"}


@pytest.fixture
def others(tmp_path: Path) -> tuple[Path, ...]:
    paths = tuple(tmp_path / f"{seed}.safetensors" for seed in (1, 2))
    for seed, path in enumerate(paths, start=1):
        random_model(seed).save(path)
    return paths


def test_every_scheme_of_the_paper_is_found_by_its_name(others: tuple[Path, ...]) -> None:
    settings = StrategySettings(ensemble=others, device="cpu")
    assert {create_strategy(name, settings).name for name in STRATEGIES} == set(STRATEGIES) >= FIG_5
    assert DEFAULT_STRATEGY in STRATEGIES


def test_all_but_the_ensemble_need_nothing_besides_a_result() -> None:
    for name in sorted(set(STRATEGIES) - {"ensemble"}):
        assert next(iter(create_strategy(name).rank(result(False))))


@pytest.mark.parametrize("name", ["best", "best/random", "random/best", "", "/"])
def test_an_unknown_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(InputError, match=r"no strategy is called .*; there are: .*spam, random, .*consistency"):
        create_strategy(name)


def test_an_ensemble_without_its_models_says_what_it_needs() -> None:
    with pytest.raises(InputError, match=r"needs the weights of 2 or more other models, got 0; give files that"):
        create_strategy("ensemble")
    with pytest.raises(InputError, match=r"nowhere\.safetensors"):
        create_strategy("ensemble", StrategySettings(ensemble=(Path("nowhere.safetensors"), SHIPPED_WEIGHTS)))


def test_an_ensemble_is_made_of_the_files_given(others: tuple[Path, ...]) -> None:
    ensemble = create_strategy("ensemble", StrategySettings(ensemble=others, device="cpu"))
    assert tuple(ensemble.rank(result(False))) == ranked("ensemble")  # of the same two models


def test_the_seed_reaches_the_strategies_that_draw() -> None:
    first, second = (
        [query.id for query in islice(create_strategy("random", StrategySettings(seed=seed)).rank(result(False)), 50)]
        for seed in (0, 1)
    )
    assert first != second


def test_a_split_is_chosen_by_name() -> None:
    boxes = create_strategy("spam", StrategySettings(split="boxes"))
    assert [query.level for query in islice(boxes.rank(result(False)), 50)] == [0] * 50
    with pytest.raises(InputError, match=r"no budget split is called 'best'; there are: equal, boxes, .*geometric-up"):
        create_strategy("spam", StrategySettings(split="best"))


def test_two_names_make_a_pair() -> None:
    assert create_strategy("image-entropy/random").name == "image-entropy/random"
