from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from spam_model.detector_training.assignment import assign
from spam_model.detector_training.losses import (
    BOX_WEIGHT,
    REJECTED_WEIGHT,
    Target,
    anchor_weights,
    detection_loss,
    drift,
    paired_iou,
)
from spam_model.detector_training.predictions import DensePrediction
from tests.spam_model.detector_training.test_assignment import grid

EVERYWHERE = torch.tensor([[-1e6, -1e6, 1e6, 1e6]])
NOWHERE = torch.zeros(0, 4)
NOTHING = Target(NOWHERE, torch.zeros(0, dtype=torch.int64), torch.zeros(0), EVERYWHERE, NOWHERE, NOWHERE)
OBJECT = torch.tensor([[8.0, 8.0, 40.0, 56.0]])


def one_object(weight: float = 1.0) -> Target:
    return replace(NOTHING, box=OBJECT, class_id=torch.tensor([0]), weight=torch.tensor([weight]))


def prediction(box: Tensor | None = None, objectness: float = 0.0) -> DensePrediction:
    """64 anchors in a picture of 64 × 64; each predicts its own cell unless told otherwise."""
    centre, stride = grid(64, 64, (8,))
    own = torch.cat([centre - 4, centre + 4], dim=1) if box is None else box
    return DensePrediction(
        box=own[None].clone().requires_grad_(),
        objectness=torch.full((1, len(centre)), objectness).requires_grad_(),
        classes=torch.zeros(1, len(centre), 1).requires_grad_(),
        centre=centre,
        stride=stride,
    )


def test_an_empty_picture_teaches_background() -> None:
    losses = detection_loss(prediction(), [NOTHING])
    assert losses.positives == 0
    assert losses.box.item() == losses.classes.item() == 0
    assert losses.objectness.item() == pytest.approx(64 * math.log(2), rel=1e-5)


def test_one_object_by_hand() -> None:
    """All anchors predict a box of IoU 0.5, so k = 5: ten IoUs of 0.5."""
    half = torch.tensor([8.0, 8.0, 40.0, 32.0]).expand(64, 4)
    losses = detection_loss(prediction(half), [one_object()])
    assert losses.positives == 5
    assert losses.box.item() == pytest.approx(1 - 0.5**2)
    assert losses.objectness.item() == pytest.approx(64 * math.log(2) / 5, rel=1e-5)
    assert losses.classes.item() == pytest.approx(math.log(2), rel=1e-5)
    assert losses.total.item() == pytest.approx(BOX_WEIGHT * 0.75 + 64 * math.log(2) / 5 + math.log(2), rel=1e-5)


def test_the_class_learns_the_overlap() -> None:
    """d BCE(x, 0.5) / dx at x = 0 is σ(0) − 0.5 = 0: an IoU of one half is already what is said."""
    half = torch.tensor([8.0, 8.0, 40.0, 32.0]).expand(64, 4)
    said = prediction(half)
    detection_loss(said, [one_object()]).classes.backward()
    assert said.classes.grad is not None
    assert said.classes.grad.abs().max() == 0


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_an_object_counts_by_its_weight(weight: float) -> None:
    """Beside an object of weight 1 in another picture."""
    half = torch.tensor([8.0, 8.0, 40.0, 32.0]).expand(64, 4)
    single = prediction(half, objectness=-20.0)  # background is known, so that only the objects teach
    pair = DensePrediction(
        single.box.detach().repeat(2, 1, 1).requires_grad_(),
        single.objectness.detach().repeat(2, 1).requires_grad_(),
        single.classes.detach().repeat(2, 1, 1).requires_grad_(),
        single.centre,
        single.stride,
    )
    detection_loss(pair, [one_object(weight), one_object()]).total.backward()
    for part in (pair.box, pair.objectness):
        assert part.grad is not None
        assert part.grad[0].abs().sum() == pytest.approx(weight * part.grad[1].abs().sum().item(), rel=1e-4)


def gradient(target: Target) -> Tensor:
    """Of the objectness of the 64 anchors, as an 8 × 8 picture."""
    said = prediction()
    detection_loss(said, [target]).total.backward()
    assert said.objectness.grad is not None
    return said.objectness.grad[0].reshape(8, 8)


def test_nothing_is_learnt_in_an_ignored_area() -> None:
    pushed = gradient(replace(NOTHING, ignore=torch.tensor([[16.0, 24.0, 48.0, 64.0]])))
    assert (pushed[3:, 2:6] == 0).all()
    pushed[3:, 2:6] = 1.0
    assert (pushed > 0).all()


def test_nothing_is_learnt_where_nothing_is_known() -> None:
    assert (gradient(replace(NOTHING, known=NOWHERE)) == 0).all()
    pushed = gradient(replace(NOTHING, known=torch.tensor([[0.0, 0.0, 64.0, 8.0]])))
    assert (pushed[0] > 0).all()
    assert (pushed[1:] == 0).all()


def test_an_object_is_learnt_even_in_an_ignored_area() -> None:
    pushed = gradient(replace(one_object(), ignore=EVERYWHERE))
    assert (pushed < 0).sum() >= 1
    assert (pushed <= 0).all()


def test_a_rejected_box_is_a_hard_negative_known_or_not() -> None:
    """The anchor in row 2, column 3 predicts just the box that a person rejected."""
    rejected = torch.tensor([[24.0, 16.0, 32.0, 24.0]])
    for target in (NOTHING, replace(NOTHING, known=NOWHERE), replace(NOTHING, ignore=EVERYWHERE)):
        pushed = gradient(replace(target, rejected=rejected))
        assert pushed[2, 3] == pytest.approx(REJECTED_WEIGHT * 0.5)
        plain = gradient(target)
        pushed[2, 3] = plain[2, 3]
        assert torch.equal(pushed, plain)


def test_a_rejected_box_beside_an_object_spares_what_predicts_the_object() -> None:
    """A person rejected the worse of two boxes around one object."""
    worse = OBJECT + torch.tensor([0.0, 12.0, 0.0, 0.0])  # IoU 3/4 with the object
    near_worse, near_object = (box + 1.0 for box in (worse, OBJECT))
    box = torch.cat([near_worse, near_object, OBJECT.expand(62, 4)])
    said = prediction(box)
    target = replace(one_object(), rejected=worse)
    found = assign(
        said.box[0], said.objectness[0], said.classes[0], said.centre, said.stride, target.box, target.class_id
    )
    counts = anchor_weights(said.box[0].detach(), said.centre, target, found)
    assert counts[:2].tolist() == [REJECTED_WEIGHT, 1.0]


def test_overlap_row_by_row() -> None:
    first = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 4.0, 4.0]])
    second = torch.tensor([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0], [0.0, 0.0, 4.0, 4.0]])
    assert torch.allclose(paired_iou(first, second), torch.tensor([1 / 3, 0.0, 1.0]))


def test_drift_is_a_share_of_what_the_maps_were() -> None:
    before = torch.tensor([[1.0, -1.0], [2.0, 0.0]])
    assert drift([before], [before]).item() == 0
    assert drift([before, 2 * before], [before, before]).item() == pytest.approx(1.0)
