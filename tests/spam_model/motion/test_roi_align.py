"""RoI-align against a loop that samples point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.motion.roi_align import align, choose_level, roi_align


def bilinear(feature: np.ndarray, x: float, y: float) -> np.ndarray:
    """[C] at a continuous point; cell i has its value at i + 0.5, outside is 0."""
    _, height, width = feature.shape
    x, y = x - 0.5, y - 0.5
    left, top = math.floor(x), math.floor(y)
    total = np.zeros(len(feature))
    for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        if 0 <= row < height and 0 <= column < width:
            total += feature[:, row, column] * (1 - abs(x - column)) * (1 - abs(y - row))
    return total


def brute_force(feature: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    result = np.zeros((len(feature), size, size))
    bin_width, bin_height = (box[2:] - box[:2]) / size
    for row in range(size):
        for column in range(size):
            for across in (0.25, 0.75):
                for down in (0.25, 0.75):
                    x = box[0] + (column + across) * bin_width
                    y = box[1] + (row + down) * bin_height
                    result[:, row, column] += bilinear(feature, x, y) / 4
    return result


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 6),
    width=st.integers(1, 9),
    height=st.integers(1, 9),
)
def test_it_equals_a_loop_over_points_also_across_and_beyond_the_border(
    seed: int, size: int, width: int, height: int
) -> None:
    rng = np.random.default_rng(seed)
    feature = rng.normal(size=(3, height, width))
    corner = rng.uniform(-4, 10, (4, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.01, 12, (4, 2))], axis=1)
    got = align(torch.from_numpy(feature), torch.from_numpy(boxes), size)
    wanted = np.stack([brute_force(feature, box, size) for box in boxes])
    assert got.numpy() == pytest.approx(wanted, abs=1e-9)


def pyramid(scale: float = 0.5) -> FeatureMaps:
    """Every level's first channel holds x, its second y, of each cell's middle in px of the network's input."""
    maps = []
    for stride in (4, 8, 16):
        along = (torch.arange(256 // stride) + 0.5) * stride
        y, x = torch.meshgrid(along, along, indexing="ij")
        maps.append(torch.stack([x, y])[None])
    return FeatureMaps(tuple(maps), (4, 8, 16), torch.tensor([scale, scale]))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_bin_lies_at_the_same_place_on_every_level(level: int) -> None:
    boxes = torch.tensor([[100.0, 120.0, 220.0, 300.0]])
    aligned = roi_align(pyramid(), boxes, 6, level=torch.tensor([level]))
    middle = (torch.arange(6) + 0.5) / 6
    assert aligned[0, 0, 0].tolist() == pytest.approx((0.5 * (100 + 120 * middle)).tolist(), abs=1e-3)
    assert aligned[0, 1, :, 0].tolist() == pytest.approx((0.5 * (120 + 180 * middle)).tolist(), abs=1e-3)


@pytest.mark.parametrize(("side", "level"), [(1, 0), (63, 0), (127, 0), (128, 1), (255, 1), (256, 2), (400, 2)])
def test_the_level_is_the_coarsest_that_still_has_eight_cells_across(side: float, level: int) -> None:
    """At half a px of input per px, 128 px are eight cells of stride 8."""
    assert choose_level(torch.tensor([[0.0, 0.0, side, side]]), pyramid()).tolist() == [level]


def test_boxes_of_several_levels_come_back_in_their_order() -> None:
    boxes = torch.tensor([[10.0, 10.0, 300.0, 300.0], [50.0, 60.0, 90.0, 100.0], [20.0, 20.0, 180.0, 180.0]])
    together = roi_align(pyramid(), boxes, 4)
    for row in range(3):
        assert torch.equal(together[row], roi_align(pyramid(), boxes[row : row + 1], 4)[0])


def test_maps_of_several_images_are_refused() -> None:
    maps = pyramid()
    several = FeatureMaps(tuple(each.repeat(2, 1, 1, 1) for each in maps.maps), maps.strides, maps.scale)
    with pytest.raises(ValueError, match="one image"):
        roi_align(several, torch.zeros(1, 4), 4)
