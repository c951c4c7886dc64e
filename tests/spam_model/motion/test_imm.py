"""The implicit motion model's encoding of motion."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spam_model.motion.imm import ImplicitMotion, motion_between, move

sides = st.floats(1, 300)
corners = st.floats(-200, 800)


@given(x=corners, y=corners, w=sides, h=sides, dx=st.floats(-2, 2), dy=st.floats(-2, 2), grow=st.floats(-0.9, 0.9))
def test_a_box_moved_by_the_motion_between_two_is_the_second(
    x: float, y: float, w: float, h: float, dx: float, dy: float, grow: float
) -> None:
    first = torch.tensor([[x, y, x + w, y + h]], dtype=torch.float64)
    second = move(first, torch.tensor([[dx, dy, grow, -grow / 2]], dtype=torch.float64))
    assert motion_between(first, second)[0].tolist() == pytest.approx([dx, dy, grow, -grow / 2], abs=1e-6)


def test_it_begins_without_motion_and_undecided() -> None:
    torch.manual_seed(0)
    visibility, motion = ImplicitMotion(8)(torch.rand(4, 8, 15, 15), torch.rand(4, 8, 15, 15))
    assert visibility.shape == (4,)
    assert motion.shape == (4, 4)
    assert motion.abs().max() < 0.1
    assert visibility.sigmoid().detach().numpy() == pytest.approx(0.5, abs=0.05)
