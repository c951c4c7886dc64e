"""People cut out of images, and canvases of them."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.eyes.cutouts import HEIGHT, WIDTH, compose, cut_out, recoloured
from tests.spam_model.eyes.toys import ColourTeacher, draw_person


def test_a_cut_out_shows_the_box_and_what_is_around_it() -> None:
    image, boxes = draw_person(np.random.default_rng(0))
    (cut,) = cut_out(image, boxes, 7)
    assert cut.group == 7
    left, top, right, bottom = cut.box.astype(int)
    x1, y1, x2, y2 = boxes[0].astype(int)
    assert np.array_equal(cut.image[top:bottom, left:right], image[y1:y2, x1:x2])
    assert cut.image.shape[1] > right - left
    assert not np.shares_memory(cut.image, image)


def test_tall_people_are_reduced_and_tiny_ones_left_out() -> None:
    image = np.random.default_rng(0).integers(0, 255, (1200, 800, 3), dtype=np.uint8)
    boxes = np.array([[100.0, 50, 500, 1074], [10, 10, 17, 80], [10, 10, 40, 30], [-50, 100, 60, 400]])
    tall, cut_off = cut_out(image, boxes, 0)
    assert tall.box[3] - tall.box[1] == pytest.approx(256, rel=0.01)
    assert cut_off.box[0] < 0


@pytest.mark.parametrize("seed", range(6))
def test_on_a_canvas_boxes_hold_the_people_that_the_teacher_sees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cutouts = [cut for group in range(12) for cut in cut_out(*draw_person(rng), group)]
    canvas = compose(cutouts, np.full(12, 1 / 12), rng)
    assert canvas.image.shape == (HEIGHT, WIDTH, 3)
    count = len(canvas.box)
    assert count == len(canvas.teacher_images) == len(canvas.teacher_box) == len(canvas.cutout)
    teacher = ColourTeacher()
    on_canvas = teacher.embed(canvas.image, canvas.box)
    pairs = zip(canvas.teacher_images, canvas.teacher_box, strict=True)
    told = np.concatenate([teacher.embed(image, box[None]) for image, box in pairs])
    agree = (on_canvas * told).sum(axis=1)
    assert np.median(agree) > 0.9  # some are boxed badly on purpose
    if count > 3:
        assert np.median(agree) > np.median((on_canvas * np.roll(told, 1, axis=0)).sum(axis=1)) + 0.1


def test_the_same_seed_gives_the_same_canvas() -> None:
    cutouts = list(cut_out(*draw_person(np.random.default_rng(0)), 0))
    first, again = (compose(cutouts, np.ones(1), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.box, again.box)


def test_recolouring_keeps_the_picture() -> None:
    image, boxes = draw_person(np.random.default_rng(3))
    x1, y1, x2, y2 = boxes[0].astype(int)
    for seed in range(5):
        other = recoloured(image, np.random.default_rng(seed))
        assert other.shape == image.shape
        assert other.dtype == np.uint8
        body = other[y1 : (y1 + y2) // 2, x1:x2].reshape(-1, 3)
        assert np.ptp(body.astype(int), axis=0).max() <= 2  # one colour stays one colour
