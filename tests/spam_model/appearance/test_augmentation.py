from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.appearance.augmentation import MEAN_COLOUR, augmented
from spam_model.appearance.recipes import Augmentation

CROP = np.random.default_rng(0).integers(1, 256, (64, 32, 3), np.uint8)
NOTHING = Augmentation(flip=0, padding=0, jitter=0, erasing=0)


@given(seed=st.integers(0, 1000), height=st.integers(1, 70), width=st.integers(1, 70))
def test_size_and_type_stay_and_a_seed_says_all(seed: int, height: int, width: int) -> None:
    crop = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    before = crop.copy()
    first, second = (augmented(crop, Augmentation(), np.random.default_rng(seed)) for _ in range(2))
    assert first.shape == crop.shape
    assert first.dtype == np.uint8
    assert (first == second).all()
    assert (crop == before).all()


def test_each_part_does_what_it_says_and_no_more() -> None:
    rng = np.random.default_rng(0)
    assert (augmented(CROP, NOTHING, rng) == CROP).all()
    assert (augmented(CROP, Augmentation(flip=1, padding=0, jitter=0, erasing=0), rng) == CROP[:, ::-1]).all()

    moved = augmented(CROP, Augmentation(flip=0, padding=10, jitter=0, erasing=0), rng)
    padded = np.pad(CROP, ((10, 10), (10, 10), (0, 0)))
    assert any((moved == padded[y : y + 64, x : x + 32]).all() for y in range(21) for x in range(21))

    lit = augmented(CROP, Augmentation(flip=0, padding=0, jitter=0.2, erasing=0), rng)
    assert 0 < np.abs(lit.astype(float) - CROP).mean() < 40

    erased = (augmented(CROP, Augmentation(flip=0, padding=0, jitter=0, erasing=1), rng) == MEAN_COLOUR).all(axis=2)
    rows, columns = np.flatnonzero(erased.any(axis=1)), np.flatnonzero(erased.any(axis=0))
    assert erased[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert 0.01 < erased.mean() < 0.45


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_crops_are_mirrored_as_often_as_asked(share: float) -> None:
    flipping = Augmentation(flip=share, padding=0, jitter=0, erasing=0)
    rng = np.random.default_rng(0)
    mirrored = np.mean([(augmented(CROP, flipping, rng) != CROP).any() for _ in range(400)])
    assert mirrored == pytest.approx(share, abs=0.08)
