"""Colour histograms: what their inner product means, and that they tell people apart."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from spam_model.appearance.colour_histogram import ColourHistogram
from spam_model.data.clip import Clip
from spam_model.data.motchallenge import read_ground_truth

CAMPUS = Path(os.environ.get("CVAT_SPAM_DATA", "../shared")) / "data" / "tune" / "MOT15" / "TUD-Campus"
RNG = np.random.default_rng(0)


def figure(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> np.ndarray:
    image = np.full((120, 60, 3), 128, np.uint8)
    image[10:60, 10:50] = top
    image[60:110, 10:50] = bottom
    return image


BOX = np.array([[10.0, 10.0, 50.0, 110.0]])
RED, BLUE, DARK = (40, 40, 200), (200, 60, 40), (40, 40, 40)


@given(
    seed=st.integers(0, 1000), x=st.floats(-80, 80), y=st.floats(-150, 150), w=st.floats(0.5, 90), h=st.floats(0.5, 200)
)
def test_every_box_gives_a_unit_vector_wherever_it_lies(seed: int, x: float, y: float, w: float, h: float) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (120, 60, 3), np.uint8)
    vector = ColourHistogram().embed(image, np.array([[x, y, x + w, y + h]]))
    assert vector.shape == (1, 96)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert (vector >= 0).all()


def test_no_box_gives_no_row() -> None:
    assert ColourHistogram().embed(figure(RED, BLUE), np.zeros((0, 4))).shape == (0, 96)


def test_boxes_together_are_embedded_as_one_by_one() -> None:
    image = RNG.integers(0, 256, (120, 60, 3), np.uint8)
    boxes = np.array([[0.0, 0, 30, 60], [10, 10, 50, 110], [-5, 3, 20, 140]])
    together = ColourHistogram().embed(image, boxes)
    apart = np.concatenate([ColourHistogram().embed(image, box[None]) for box in boxes])
    assert together == pytest.approx(apart, abs=1e-6)


def test_the_inner_product_is_the_bhattacharyya_coefficient() -> None:
    model = ColourHistogram()
    image = RNG.integers(0, 256, (120, 60, 3), np.uint8)
    p, q = model.embed(image, np.array([[0.0, 0, 30, 60], [20, 30, 60, 120]])).astype(np.float64) ** 2
    parts = [slice(7 * stripe, 7 * stripe + 7) for stripe in range(6)]
    parts += [slice(42 + 9 * stripe, 51 + 9 * stripe) for stripe in range(6)]
    for part in parts:  # each of the twelve histograms has the same share
        assert p[part].sum() == pytest.approx(1 / 12, abs=1e-4)
    coefficients = [np.sqrt(12 * p[part] * 12 * q[part]).sum() for part in parts]
    assert np.sqrt(p * q).sum() == pytest.approx(np.mean(coefficients), abs=1e-3)


@pytest.mark.parametrize(
    ("other", "similar"),
    [
        (figure(RED, BLUE), True),
        (figure(tuple(c + 6 for c in RED), BLUE), True),  # a little more light
        (figure(BLUE, RED), False),  # the same colours, upside down
        (figure(RED, DARK), False),
        (figure(DARK, BLUE), False),
    ],
    ids=["the same", "brighter", "swapped", "other legs", "other top"],
)
def test_similar_clothes_lie_close_and_others_do_not(other: np.ndarray, similar: bool) -> None:
    model = ColourHistogram()
    cosine = float(model.embed(figure(RED, BLUE), BOX)[0] @ model.embed(other, BOX)[0])
    assert (cosine > 0.95) == similar
    assert similar or cosine < 0.75


def test_background_beside_the_person_counts_little() -> None:
    model = ColourHistogram()
    first, second = figure(RED, BLUE), figure(RED, BLUE)
    second[:, :14], second[:, 46:] = (30, 160, 30), (30, 160, 30)
    assert float(model.embed(first, BOX)[0] @ model.embed(second, BOX)[0]) > 0.9


def test_a_box_takes_less_than_a_millisecond() -> None:
    image = RNG.integers(0, 256, (480, 640, 3), np.uint8)
    boxes = np.tile([100.0, 50, 220, 400], (64, 1))
    model = ColourHistogram()
    model.embed(image, boxes)
    start = time.process_time()
    model.embed(image, boxes)
    assert (time.process_time() - start) / 64 < 1e-3


@pytest.mark.shared_data
@pytest.mark.skipif(not CAMPUS.is_dir(), reason="no development data (CVAT_SPAM_DATA)")
@pytest.mark.parametrize(("gap", "least"), [(0.2, 0.83), (1.0, 0.78)])
def test_it_tells_people_apart_on_real_video(gap: float, least: float) -> None:
    clip = Clip.open(CAMPUS)
    truth = read_ground_truth(CAMPUS / "gt" / "gt.txt", clip.info)
    vector = np.zeros((len(truth), 96), np.float32)
    for index, image in clip.frames():
        rows = truth.frame == index
        vector[rows] = ColourHistogram().embed(image, truth.box[rows])
    apart = np.abs(truth.frame[:, None] - truth.frame) / clip.info.frame_rate
    pairs = np.triu(apart >= gap, 1)
    same = (truth.track[:, None] == truth.track)[pairs]
    cosine = (vector @ vector.T)[pairs]
    auc = mannwhitneyu(cosine[same], cosine[~same]).statistic / (same.sum() * (~same).sum())
    assert auc > least
