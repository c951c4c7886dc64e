from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from spam_model.detector_training.anchor_assignment import assign_by_shape
from spam_model.detector_training.losses import detection_loss
from spam_model.detector_training.predictions import DensePrediction
from tests.spam_model.detector_training.test_assignment import grid
from tests.spam_model.detector_training.test_losses import NOTHING, one_object

SIZES = ((10.0, 20.0), (30.0, 30.0), (20.0, 60.0))


def anchors(width: int = 64, height: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    """Three of them in every cell of 8 and 16 px: size [A, 2], middle [A, 2], stride [A]."""
    centre, stride = grid(width, height)
    return torch.tensor(SIZES).repeat(len(centre), 1), centre.repeat_interleave(3, 0), stride.repeat_interleave(3)


def brute_force(size: Tensor, centre: Tensor, stride: Tensor, truth: np.ndarray) -> dict[int, int]:
    chosen: dict[int, tuple[float, int]] = {}
    for number, (x1, y1, x2, y2) in enumerate(truth.tolist()):
        x, y, width, height = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        fits = {}
        for anchor in range(len(size)):
            (w, h), (cx, cy), side = size[anchor].tolist(), centre[anchor].tolist(), float(stride[anchor])
            if int(x // side) == int(cx // side) and int(y // side) == int(cy // side):
                shared = min(w, width) * min(h, height)
                fits[anchor] = shared / (w * h + width * height - shared)
        for anchor, fit in fits.items():
            if fit > max(fits.values()) - 1e-4 and fit > chosen.get(anchor, (-1.0, -1))[0]:
                chosen[anchor] = (fit, number)
    return {anchor: number for anchor, (_, number) in chosen.items()}


@pytest.mark.parametrize("seed", range(10))
def test_the_best_shape_in_the_cell_of_the_middle_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, centre, stride = anchors()
    middle, extent = rng.uniform(1, 63, (5, 2)), rng.uniform(5, 60, (5, 2))
    truth = np.concatenate([middle - extent / 2, middle + extent / 2], axis=1)
    box = torch.cat([centre - size / 2, centre + size / 2], dim=1).double()
    found = assign_by_shape(box, size.double(), centre.double(), stride.double(), torch.tensor(truth))
    pairs = dict(zip(found.anchor.tolist(), found.truth.tolist(), strict=True))
    assert pairs == brute_force(size, centre, stride, truth)
    assert set(found.truth.tolist()) <= set(range(5))
    assert (found.iou >= 0).all()


def test_without_an_object_nobody_learns() -> None:
    size, centre, stride = anchors()
    box = torch.cat([centre, centre], dim=1)
    assert len(assign_by_shape(box, size, centre, stride, torch.zeros(0, 4)).anchor) == 0


def test_one_anchor_learns_and_others_that_fit_as_well_are_let_be() -> None:
    """All anchors predict the object itself; its class should be certain, whatever the overlap."""
    target = one_object()
    size, centre, stride = anchors()
    said = DensePrediction(
        box=target.box.expand(len(size), 4)[None].clone().requires_grad_(),
        objectness=torch.zeros(1, len(size)).requires_grad_(),
        classes=torch.zeros(1, len(size), 1).requires_grad_(),
        centre=centre,
        stride=stride,
        anchor=size,
    )
    losses = detection_loss(said, [target])
    losses.total.backward()
    assert said.objectness.grad is not None
    assert said.classes.grad is not None
    assert losses.positives == 2, "one in each map"
    assert (said.objectness.grad[0] < 0).sum() == 2
    assert (said.objectness.grad[0] > 0).sum() == 0
    assert said.classes.grad[said.classes.grad != 0].tolist() == pytest.approx([-0.25, -0.25])
    far = replace(said, box=(target.box + 100).expand(len(size), 4)[None].clone(), objectness=torch.zeros(1, len(size)))
    far.objectness.requires_grad_()
    detection_loss(far, [NOTHING]).total.backward()
    assert far.objectness.grad is not None
    assert (far.objectness.grad > 0).all()
