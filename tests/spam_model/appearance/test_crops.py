from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.appearance.crops import cut_crops, embed_frames
from spam_model.data.clip import Image
from spam_model.errors import InputError
from spam_model.values.candidates import FloatArray

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


class MeanColour:
    """The simplest appearance model that looks at crops of one size."""

    name, dimension, size = "mean", 3, (8, 4)

    def __init__(self) -> None:
        self.batches: list[int] = []

    def embed_crops(self, crops: np.ndarray) -> np.ndarray:
        self.batches.append(len(crops))
        mean = crops.reshape(len(crops), -1, 3).mean(axis=1) + 1
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)

    def embed(self, image: Image, boxes: FloatArray) -> np.ndarray:
        return self.embed_crops(cut_crops(image, boxes, self.size))


@given(
    x=st.floats(-300, 300), y=st.floats(-300, 300), w=st.floats(-5, 300), h=st.floats(-5, 300), side=st.integers(1, 60)
)
def test_every_finite_box_gives_a_crop_of_colours_that_lie_in_it(
    x: float, y: float, w: float, h: float, side: int
) -> None:
    ramp = np.zeros((60, 80, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(80), np.arange(60)[:, None]  # a pixel says where it lies
    (crop,) = cut_crops(ramp, np.array([[x, y, x + w, y + h]]), (side, side))
    assert crop.shape == (side, side, 3)
    for channel, low, high, limit in ((0, x, x + w, 79), (1, y, y + h, 59)):
        assert crop[..., channel].min() >= np.clip(low - 1, 0, limit) - 1
        assert crop[..., channel].max() <= max(np.clip(high, 0, limit), crop[..., channel].min()) + 1


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ([10, 20, 30, 50], (slice(20, 50), slice(10, 30))),
        ([10.4, 19.6, 29.6, 50.4], (slice(20, 50), slice(10, 30))),
        ([-15, -7, 30, 50], (slice(0, 50), slice(0, 30))),
        ([60, 40, 200, 90], (slice(40, 60), slice(60, 80))),
        ([-90, -90, -50, -50], (slice(0, 1), slice(0, 1))),
        ([500, 20, 600, 20.2], (slice(20, 21), slice(79, 80))),
        ([30, 20, 10, 5], (slice(20, 21), slice(30, 31))),
    ],
    ids=["inside", "rounded", "over the top left", "over the bottom right", "outside", "far and tiny", "inside out"],
)
def test_a_crop_is_what_opencv_makes_of_the_pixels_in_the_box(box: list[float], shown: tuple[slice, slice]) -> None:
    for size, interpolation in (((256, 128), cv2.INTER_LINEAR), ((1, 1), cv2.INTER_AREA)):
        (crop,) = cut_crops(IMAGE, np.array([box], np.float64), size)
        assert (crop == cv2.resize(IMAGE[shown], size[::-1], interpolation=interpolation)).all()


def test_an_image_of_one_pixel_is_enlarged() -> None:
    crops = cut_crops(np.full((1, 1, 3), 7, np.uint8), np.array([[0.0, 0, 1, 1], [-3, -3, 9, 9]]), (16, 8))
    assert crops.shape == (2, 16, 8, 3)
    assert (crops == 7).all()


@pytest.mark.parametrize(
    ("image", "box", "said"),
    [
        (IMAGE[..., 0], [0, 0, 5, 5], "need \\[H, W, 3\\] uint8"),
        (IMAGE.astype(np.uint16), [0, 0, 5, 5], "need \\[H, W, 3\\] uint8"),
        (IMAGE, [0, np.nan, 5, 5], "not finite"),
        (IMAGE, [0, 0, np.inf, 5], "not finite"),
    ],
    ids=["grey", "16 bits", "nan", "infinite"],
)
def test_what_cannot_be_cut_is_said(image: np.ndarray, box: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        cut_crops(image, np.array([box], np.float64), (16, 8))


def test_boxes_of_several_frames_share_one_batch_and_come_back_to_their_frames() -> None:
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (60, 80, 3), np.uint8) for _ in range(3)]
    boxes = [np.array([[0.0, 0, 20, 40], [5, 5, 60, 60]]), np.zeros((0, 4)), np.array([[10.0, 10, 30, 50]])]
    model = MeanColour()
    together = embed_frames(model, images, boxes)
    assert model.batches == [3]
    assert [part.shape for part in together] == [(2, 3), (0, 3), (1, 3)]
    for part, image, box in zip(together, images, boxes, strict=True):
        if len(box):
            assert part == pytest.approx(model.embed(image, box))


def test_no_frame_gives_nothing() -> None:
    assert embed_frames(MeanColour(), [], []) == []
