"""Scaling to a network's input: where pixels and boxes come to lie."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.detectors.letterbox import FILL, letterbox, stretch


def plain(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), (10, 20, 30), np.uint8)


def test_an_image_lies_top_left_with_its_aspect_kept() -> None:
    (pixels,) = letterbox([plain(100, 200)], (416, 416)).pixels.numpy()
    assert pixels.shape == (3, 416, 416)
    assert pixels.dtype == np.uint8
    assert (pixels[:, :208] == np.array([10, 20, 30])[:, None, None]).all()
    assert (pixels[:, 208:] == FILL).all()


def test_a_stretched_image_fills_the_input() -> None:
    prepared = stretch([plain(100, 200)], (320, 544))
    assert (prepared.pixels.numpy() == np.array([10, 20, 30])[None, :, None, None]).all()
    assert prepared.scale[0].tolist() == pytest.approx([544 / 200, 320 / 100])


@pytest.mark.parametrize("scaled", [letterbox, stretch])
@pytest.mark.parametrize(
    ("height", "width"), [(480, 640), (1080, 1920), (1, 1), (1, 5000), (700, 12_000), (12_000, 3), (333, 77)]
)
def test_scale_says_where_a_box_of_the_image_lies_in_the_input(scaled: object, height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    box = np.array([width * 0.25, height * 0.25, width * 0.75, height * 0.75]).round().astype(int)
    image[box[1] : box[3], box[0] : box[2]] = 255
    prepared = scaled([image], (320, 416))  # type: ignore[operator]
    bright = np.argwhere(prepared.pixels[0, 0].numpy() > 127)
    if len(bright) == 0:  # the box is thinner than a pixel of the input
        assert ((box[2:] - box[:2]) * prepared.scale[0].numpy() <= 1).any()
        return
    (top, left), (bottom, right) = bright.min(axis=0), bright.max(axis=0) + 1
    expected = box * np.tile(prepared.scale[0].numpy(), 2)
    assert np.abs(expected - [left, top, right, bottom]).max() <= 1


def test_a_batch_may_be_of_images_of_several_sizes() -> None:
    images = [plain(100, 200), plain(300, 200), plain(32, 32)]
    together = letterbox(images, (64, 96))
    for row, image in enumerate(images):
        alone = letterbox([image], (64, 96))
        assert together.pixels[row].equal(alone.pixels[0])
        assert together.scale[row].equal(alone.scale[0])
