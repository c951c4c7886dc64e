"""TDT's losses, by hand and against torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from spam_model.eyes.losses import embedding_loss, focal_loss, relation_loss, tdt_loss


@pytest.mark.parametrize(("probability", "target"), [(0.9, 1.0), (0.9, 0.0), (0.2, 1.0), (0.2, 0.0)])
def test_focal_loss_is_the_formula(probability: float, target: float) -> None:
    right = probability if target else 1 - probability
    alpha = 0.25 if target else 0.75
    expected = -alpha * (1 - right) ** 1.5 * math.log(right)
    logit = torch.tensor([math.log(probability / (1 - probability))])
    assert focal_loss(logit, torch.tensor([target])).item() == pytest.approx(expected, rel=1e-5)


def test_focal_loss_without_focus_is_half_the_cross_entropy() -> None:
    logit, target = torch.randn(50), (torch.rand(50) < 0.3).float()
    expected = functional.binary_cross_entropy_with_logits(logit, target, reduction="sum") / 2
    assert torch.allclose(focal_loss(logit, target, alpha=0.5, gamma=0.0), expected)


def test_a_narrow_student_copies_the_first_numbers_of_the_teacher() -> None:
    student, teacher = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0, 100.0]])
    assert embedding_loss(student, teacher).item() == pytest.approx(1 + 4)
    with pytest.raises(ValueError, match="3 numbers cannot be learned from a teacher's 2"):
        embedding_loss(teacher, student)


def test_the_joint_loss_weighs_its_three_parts_over_the_assigned_anchors() -> None:
    logit, target = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [0.0]])
    box, target_box = torch.tensor([[0.05, 0.0, 0.0, 1.0]]), torch.zeros(1, 4)
    student, teacher = torch.tensor([[0.5]]), torch.tensor([[0.0]])
    huber = 0.05**2 / 2 + 0.1 * (1 - 0.05)
    expected = focal_loss(logit, target).item() + 50 * huber + 10 * 0.25
    assert tdt_loss(logit, target, box, target_box, student, teacher).item() == pytest.approx(expected, rel=1e-5)
    nothing = tdt_loss(logit, target, box[:0], target_box[:0], student[:0], teacher[:0])
    assert nothing.item() == pytest.approx(focal_loss(logit, target).item(), rel=1e-5)


def test_relations_are_kept_by_a_turned_space_and_not_by_a_scrambled_one() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(8, 5, generator=generator)
    turn, _ = torch.linalg.qr(torch.randn(5, 5, generator=generator))
    assert relation_loss(3 * teacher @ turn, teacher).item() == pytest.approx(0, abs=1e-10)
    assert relation_loss(teacher.flip(0), teacher).item() > 0.01
