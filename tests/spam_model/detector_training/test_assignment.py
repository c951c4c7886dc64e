from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from spam_model.detector_training.assignment import assign, pairwise_iou
from spam_model.geometry import iou_matrix


def grid(width: int, height: int, strides: tuple[int, ...] = (8, 16)) -> tuple[Tensor, Tensor]:
    """Middle [A, 2] and stride [A] of every cell."""
    centre = [
        ((column + 0.5) * stride, (row + 0.5) * stride)
        for stride in strides
        for row in range(height // stride)
        for column in range(width // stride)
    ]
    stride = [s for s in strides for _ in range((height // s) * (width // s))]
    return torch.tensor(centre), torch.tensor(stride, dtype=torch.float32)


def brute_force(
    box: list[list[float]],
    probability: list[list[float]],
    centre: list[list[float]],
    stride: list[float],
    truth: list[list[float]],
    truth_class: list[int],
) -> dict[int, int]:
    """SimOTA with plain loops, as section 2.2 of YOLOX tells it: anchor -> the object that it learns."""

    def iou(a: list[float], b: list[float]) -> float:
        shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
        return shared / union if union > 0 else 0.0

    def inside(point: list[float], area: list[float]) -> bool:
        return area[0] < point[0] < area[2] and area[1] < point[1] < area[3]

    def near(anchor: int, area: list[float]) -> bool:
        reach = 2.5 * stride[anchor]
        x, y = (area[0] + area[2]) / 2, (area[1] + area[3]) / 2
        return inside(centre[anchor], [x - reach, y - reach, x + reach, y + reach])

    anchors = range(len(box))
    usable = [a for a in anchors if any(inside(centre[a], t) or near(a, t) for t in truth)]
    chosen: dict[int, list[tuple[float, int]]] = {}
    for number, area in enumerate(truth):
        overlap = {a: iou(area, box[a]) for a in usable}
        cost = {}
        for a in usable:
            entropy = 0.0
            for column, p in enumerate(probability[a]):
                root = math.sqrt(p)
                entropy -= math.log(root) if column == truth_class[number] else math.log(1 - root)
            cost[a] = entropy - 3 * math.log(overlap[a] + 1e-8)
            if not (inside(centre[a], area) and near(a, area)):
                cost[a] += 1e5
        count = max(1, int(sum(sorted(overlap.values())[-10:])))
        for a in sorted(usable, key=lambda a: cost[a])[:count]:
            chosen.setdefault(a, []).append((cost[a], number))
    return {a: min(options)[1] for a, options in chosen.items()}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("objects", [0, 1, 2, 6])
def test_it_is_what_the_paper_says(seed: int, objects: int) -> None:
    rng = np.random.default_rng([seed, objects])
    centre, stride = grid(96, 64)
    corner = rng.uniform(-5, 70, (objects, 2))
    truth = np.concatenate([corner, corner + rng.uniform(4, 50, (objects, 2))], axis=1)
    middle = centre.numpy() + rng.normal(0, 6, (len(centre), 2))
    size = rng.uniform(5, 50, (len(centre), 2))
    box = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
    if objects:  # some predictions are good, so that k varies
        good = rng.integers(len(box), size=12)
        box[good] = truth[rng.integers(objects, size=12)] + rng.normal(0, 1, (12, 4))
    objectness, classes = rng.normal(0, 2, len(box)), rng.normal(0, 2, (len(box), 3))
    truth_class = rng.integers(3, size=objects)
    found = assign(
        torch.tensor(box),
        torch.tensor(objectness),
        torch.tensor(classes),
        centre.double(),
        stride.double(),
        torch.tensor(truth),
        torch.tensor(truth_class),
    )
    sigmoid = 1 / (1 + np.exp(-np.concatenate([objectness[:, None], classes], axis=1)))
    expected = brute_force(
        box.tolist(),
        (sigmoid[:, :1] * sigmoid[:, 1:]).tolist(),
        centre.tolist(),
        stride.tolist(),
        truth.tolist(),
        truth_class.tolist(),
    )
    assert dict(zip(found.anchor.tolist(), found.truth.tolist(), strict=True)) == expected
    pairs = iou_matrix(truth, box)[found.truth.numpy(), found.anchor.numpy()]
    assert np.allclose(found.iou.numpy(), pairs)


def test_an_object_that_nothing_finds_still_teaches_one_anchor() -> None:
    centre, stride = grid(64, 64, (8,))
    nowhere = torch.tensor([[1000.0, 1000.0, 1001.0, 1001.0]]).expand(len(centre), 4)
    zeros = torch.zeros(len(centre))
    truth = torch.tensor([[20.0, 20.0, 40.0, 40.0]])
    found = assign(nowhere, zeros, zeros[:, None], centre, stride, truth, torch.tensor([0]))
    assert len(found.anchor) == 1
    assert (centre[found.anchor] - 30).abs().max() < 20


def test_overlaps_are_those_of_the_geometry_module() -> None:
    rng = np.random.default_rng(0)
    a, b = (np.sort(rng.uniform(0, 50, (9, 2, 2)), axis=1).reshape(9, 4) for _ in range(2))
    assert np.allclose(pairwise_iou(torch.tensor(a), torch.tensor(b)).numpy(), iou_matrix(a, b))
