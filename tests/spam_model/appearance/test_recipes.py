from __future__ import annotations

import pytest

from spam_model.appearance.recipes import RECIPES


def test_the_recipes_are_those_that_were_published() -> None:
    msmt17, motsynth = RECIPES["msmt17"], RECIPES["motsynth"]
    assert (msmt17.batch, motsynth.batch) == (64, 180)
    assert (msmt17.network.dimension, motsynth.network.dimension) == (2048, 512)


@pytest.mark.parametrize(
    ("name", "epoch", "rate"),
    [
        ("msmt17", 0, 3.5e-5),
        ("msmt17", 5, 3.5e-4 * 0.55),
        ("msmt17", 10, 3.5e-4),
        ("msmt17", 39.9, 3.5e-4),
        ("msmt17", 40, 3.5e-5),
        ("msmt17", 70, 3.5e-6),
        ("msmt17", 120, 3.5e-6),
        ("motsynth", 0, 9e-4),
        ("motsynth", 14.9, 9e-4),
        ("motsynth", 15, 9e-5),
    ],
)
def test_the_learning_rate_warms_up_and_falls_in_steps(name: str, epoch: float, rate: float) -> None:
    recipe = RECIPES[name]
    assert recipe.rate(epoch / recipe.epochs) == pytest.approx(rate)
