from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spam_model.appearance.reid_losses import batch_hard_triplet


@given(seed=st.integers(0, 10_000), identities=st.integers(2, 4), images=st.integers(1, 4))
def test_it_is_the_mean_over_crops_of_farthest_companion_against_nearest_stranger(
    seed: int, identities: int, images: int
) -> None:
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(identities), images)
    features = rng.normal(size=(len(identity), 5))
    expected = []
    for anchor, own in zip(features, identity, strict=True):
        distance = np.linalg.norm(features - anchor, axis=1)
        expected.append(max(0.0, 0.3 + distance[identity == own].max() - distance[identity != own].min()))
    loss = batch_hard_triplet(torch.from_numpy(features), torch.from_numpy(identity), 0.3)
    assert loss.item() == pytest.approx(np.mean(expected))


def test_its_gradient_is_finite_where_crops_coincide_and_draws_companions_together() -> None:
    features = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [3.0, 0.0]], requires_grad=True)
    batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]), 0.3).backward()
    assert torch.isfinite(features.grad).all()
    assert features.grad[3, 0] > 0  # downhill is towards its companion
