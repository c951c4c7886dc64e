"""Batches for training a re-identification network: some identities, some crops of each, augmented.

A batch is a function of the seed and its number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count

import numpy as np

from spam_model.appearance.augmentation import augmented
from spam_model.appearance.crops import Crops
from spam_model.appearance.recipes import Recipe
from spam_model.appearance.reid_data import IdentityCrops
from spam_model.data.clip import Image
from spam_model.errors import InputError
from spam_model.values.candidates import IntArray

_LOADERS = 4  # threads that read and augment
_AHEAD = 3  # batches made ready


def batch_rows(identity: IntArray, recipe: Recipe, seed: int, step: int) -> IntArray:
    """Which crops batch ``step`` shows: ``images`` of each of ``identities``, none twice where there are enough. [B]

    Args:
        identity: [N] of each crop, from 0 on, sorted.
    """
    rng = np.random.default_rng((seed, step))
    starts = np.searchsorted(identity, np.arange(identity[-1] + 2))
    chosen = rng.choice(len(starts) - 1, recipe.identities, replace=False)
    spans = zip(starts[chosen], starts[chosen + 1], strict=True)
    return np.concatenate(
        [rng.choice(np.arange(*span), recipe.images, replace=span[1] - span[0] < recipe.images) for span in spans]
    )


def batches(
    crops: IdentityCrops, recipe: Recipe, seed: int, first: int
) -> Generator[tuple[Crops, IntArray], None, None]:
    """Crops [B, H, W, 3] and their identities [B], from batch ``first`` on for ever, made ahead by threads.

    Raises:
        InputError: there are fewer identities than a batch needs.
    """
    if crops.identities < recipe.identities:
        raise InputError(
            f"{crops.name}: {crops.identities} identities to train on, a batch takes {recipe.identities}; "
            "lower --identities"
        )

    def make(row: int, step: int, place: int) -> Image:
        return augmented(crops.read(row), recipe.augmentation, np.random.default_rng((seed, step, place)))

    ready: deque[tuple[IntArray, list[Future[Image]]]] = deque()
    with ThreadPoolExecutor(_LOADERS) as pool:
        for step in count(first):
            rows = batch_rows(crops.identity, recipe, seed, step)
            ready.append((rows, [pool.submit(make, int(row), step, place) for place, row in enumerate(rows)]))
            if len(ready) > _AHEAD:
                shown, made = ready.popleft()
                yield np.stack([crop.result() for crop in made]), crops.identity[shown]
