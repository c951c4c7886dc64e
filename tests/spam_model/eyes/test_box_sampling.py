"""Feature maps read at boxes, against a brute-force reading."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.eyes.box_sampling import sample_boxes


def brute_force(feature: np.ndarray, box: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """[C, H, W], [4] -> [C, rows, columns]: the mean of 2 × 2 bilinear samples of each bin, one by one."""
    channels, height, width = feature.shape
    result = np.zeros((channels, rows, columns))
    for row in range(2 * rows):
        for column in range(2 * columns):
            y = np.clip(box[1] + (box[3] - box[1]) * (row + 0.5) / (2 * rows) - 0.5, 0, height - 1)
            x = np.clip(box[0] + (box[2] - box[0]) * (column + 0.5) / (2 * columns) - 0.5, 0, width - 1)
            top, left = int(y), int(x)
            for i, weight_y in ((top, 1 - (y - top)), (min(top + 1, height - 1), y - top)):
                for j, weight_x in ((left, 1 - (x - left)), (min(left + 1, width - 1), x - left)):
                    result[:, row // 2, column // 2] += feature[:, i, j] * weight_y * weight_x / 4
    return result


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-3, 8), st.floats(-3, 8), st.floats(0.1, 9), st.floats(0.1, 9)), min_size=1, max_size=4
    ),
    st.sampled_from([(1, 1), (3, 2), (4, 4)]),
    st.integers(0, 99),
)
def test_each_bin_is_the_mean_of_bilinear_samples(
    corners: list[tuple[float, float, float, float]], grid: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    feature = rng.normal(size=(2, 3, 5, 7))
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in corners])
    image = rng.integers(0, 2, len(boxes))
    read = sample_boxes(torch.from_numpy(feature), torch.from_numpy(image), torch.from_numpy(boxes), *grid)
    expected = [brute_force(feature[i], box, *grid) for i, box in zip(image, boxes, strict=True)]
    assert np.allclose(read.numpy(), np.array(expected))


def test_the_memory_format_makes_no_difference_and_no_box_is_no_error() -> None:
    feature = torch.rand(2, 4, 6, 5)
    image, boxes = torch.tensor([1, 0]), torch.tensor([[0.0, 1, 3, 5], [1, 1, 2, 2]])
    as_stored = sample_boxes(feature, image, boxes, 3, 2)
    channels_last = sample_boxes(feature.contiguous(memory_format=torch.channels_last), image, boxes, 3, 2)
    assert torch.equal(as_stored, channels_last)
    assert sample_boxes(feature, image[:0], boxes[:0], 3, 2).shape == (0, 4, 3, 2)
