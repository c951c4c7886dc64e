from __future__ import annotations

import numpy as np
import pytest

from spam_model.detector_training.augment import GENTLE, Augmentation, placed, random_crop, view
from spam_model.detector_training.samples import Boxes, Sample

SIZE = (128, 96)


def bright_box(width: int = 200, height: int = 160, known: bool = True) -> Sample:
    """A white rectangle on black, and a box around it."""
    image = np.zeros((height, width, 3), np.uint8)
    image[50:110, 80:120] = 255
    box = np.array([[80.0, 50.0, 120.0, 110.0]])
    return Sample(image, Boxes.build(box) if known else Boxes.partly_known(box))


def seen(image: np.ndarray) -> np.ndarray:
    """x1 y1 x2 y2 of what is bright."""
    row, column = np.nonzero(image[..., 1] > 180)
    return np.array([column.min(), row.min(), column.max() + 1, row.max() + 1])


@pytest.mark.parametrize("seed", range(12))
def test_boxes_move_with_the_pixels(seed: int) -> None:
    plain = Augmentation(hue=0, saturation=0, value=0, mosaic=0, grey=0)
    sample = view(lambda _: bright_box(), SIZE, plain, np.random.default_rng(seed))
    assert sample.image.shape == (96, 128, 3)
    if len(sample.boxes.box):
        assert np.abs(sample.boxes.box[0] - seen(sample.image)).max() <= 2


def test_mirrored_boxes_too() -> None:
    sample = placed(bright_box(), (100, 80), (10, -5), SIZE, mirror=True)
    assert np.array_equal(sample.boxes.box[0], [128 - 70, 20, 128 - 50, 50])
    assert np.abs(sample.boxes.box[0] - seen(sample.image)).max() <= 1


@pytest.mark.parametrize(
    ("corner", "objects", "ignored", "why"),
    [
        ((0, 0), 1, 0, "whole"),
        ((-60, 0), 1, 0, "half of it in the picture: an object"),
        ((-67, 0), 0, 1, "a fifth of it: neither object nor background"),
        ((-130, 0), 0, 0, "outside"),
    ],
)
def test_what_is_cut_off(corner: tuple[int, int], objects: int, ignored: int, why: str) -> None:
    sample = placed(bright_box(), (120, 96), corner, SIZE)
    assert (len(sample.boxes.box), len(sample.boxes.ignore)) == (objects, ignored), why


def test_a_box_grown_too_small_is_ignored() -> None:
    sample = placed(bright_box(), (16, 12), (0, 0), SIZE)
    assert len(sample.boxes.box) == 0
    assert len(sample.boxes.ignore) == 1


def test_a_mosaic_holds_four_pictures_that_do_not_reach_into_each_other() -> None:
    mosaic = Augmentation(mosaic=1.0, hue=0, saturation=0, value=0, grey=0)
    for seed in range(8):
        sample = view(lambda _: bright_box(), SIZE, mosaic, np.random.default_rng(seed))
        assert len(sample.boxes.known) == 4
        known = sample.boxes.known
        assert ((known[:, 2] - known[:, 0]) * (known[:, 3] - known[:, 1])).sum() == 128 * 96
        for x1, y1, x2, y2 in sample.boxes.box.round().astype(int):
            assert sample.image[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1, 1].min() > 150


def test_what_is_not_known_stays_unknown() -> None:
    rng = np.random.default_rng(3)
    sample = random_crop(bright_box(known=False), SIZE, GENTLE, rng)
    assert np.allclose(sample.boxes.known, sample.boxes.box)


def test_colours_change_and_the_same_seed_gives_the_same_view() -> None:
    rng = np.random.default_rng(0)
    picture = Sample(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8), Boxes.build(np.zeros((0, 4))))
    first, second, third = (
        view(lambda _: picture, (64, 64), Augmentation(mosaic=0), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first.image, second.image)
    assert not np.array_equal(first.image, third.image)
    grey = view(lambda _: picture, (64, 64), Augmentation(mosaic=0, grey=1.0), rng)
    assert np.ptp(grey.image.astype(int), axis=2).max() <= 1
