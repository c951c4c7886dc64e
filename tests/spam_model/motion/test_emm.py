"""The explicit motion model's parts against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spam_model.motion.emm import PLACES, SEARCH, TEMPLATE, ExplicitMotion, Response, correlate, decode, places


def test_correlation_equals_a_loop_over_places() -> None:
    generator = torch.Generator().manual_seed(0)
    template = torch.rand(2, 3, TEMPLATE, TEMPLATE, generator=generator)
    search = torch.rand(2, 3, SEARCH, SEARCH, generator=generator)
    got = correlate(template, search)
    assert got.shape == (2, 3, PLACES, PLACES)
    for row, column in ((0, 0), (3, 11), (15, 15)):
        window = search[:, :, row : row + TEMPLATE, column : column + TEMPLATE]
        assert torch.allclose(got[:, :, row, column], (window * template).mean(dim=(2, 3)), atol=1e-5)


def test_a_template_lies_at_its_place() -> None:
    """Cut out of the search region at (row, column), its middle is there, in template widths from the middle."""
    for row, column in ((0, 0), (4, 9), (15, 15)):
        middle = (np.array([column, row]) + TEMPLATE / 2 - SEARCH / 2) / TEMPLATE
        assert places()[row * PLACES + column].tolist() == pytest.approx(middle.tolist(), abs=1e-6)


def response_at(shift: tuple[float, float], size: tuple[float, float], visibility: float = 0.9) -> Response:
    """What a network that knows everything says: a box with this middle and size, surest at its middle."""
    at = places()
    low, high = (torch.tensor(shift) + sign * torch.tensor(size) / 2 for sign in (-1, 1))
    near = torch.exp(-((at - torch.tensor(shift)) ** 2).sum(dim=1) / 0.02)
    sides = torch.cat([at - low, high - at], dim=1)
    logit = torch.full((len(at),), float(np.log(visibility / (1 - visibility))))
    return Response(logit[None], torch.logit(near.clamp(1e-4, 1 - 1e-4))[None], sides[None])


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.21, -0.13), (-0.4, 0.35)])
@pytest.mark.parametrize("size", [(1.0, 1.0), (0.9, 1.15)])
def test_decoding_gives_the_box_that_the_maps_speak_of(shift: tuple[float, float], size: tuple[float, float]) -> None:
    visibility, box = decode(response_at(shift, size))
    wanted = [shift[0] - size[0] / 2, shift[1] - size[1] / 2, shift[0] + size[0] / 2, shift[1] + size[1] / 2]
    assert box[0].tolist() == pytest.approx(wanted, abs=1e-4)
    assert float(visibility[0]) == pytest.approx(0.9, abs=1e-4)


def test_of_two_equal_places_the_nearer_wins_and_of_two_sizes_the_likelier() -> None:
    near, far = response_at((0.1, 0.0), (1.0, 1.0)), response_at((-0.45, 0.4), (1.0, 1.0))
    both = Response(near.visibility, torch.maximum(near.centreness, far.centreness), near.sides)
    _, box = decode(both)
    assert float((box[0, 0] + box[0, 2]) / 2) == pytest.approx(0.1, abs=0.05)
    sides = near.sides.clone()
    half = places()[:, 0] < 0
    sides[0, half] *= 2  # everything on the left speaks of a box of twice the size
    _, box = decode(Response(near.visibility, torch.zeros_like(near.centreness), sides))
    assert float(box[0, 2] - box[0, 0]) < 1.2


def test_the_network_starts_from_nothing_has_moved() -> None:
    torch.manual_seed(0)
    network = ExplicitMotion(8)
    template = torch.nn.functional.normalize(torch.rand(3, 8, TEMPLATE, TEMPLATE), dim=1)
    search = torch.nn.functional.normalize(torch.rand(3, 8, SEARCH, SEARCH), dim=1)
    _, box = decode(network(template, search))
    assert box.detach().numpy() == pytest.approx(np.tile([-0.5, -0.5, 0.5, 0.5], (3, 1)), abs=0.15)
