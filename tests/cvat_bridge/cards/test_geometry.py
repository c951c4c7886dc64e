from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvat_bridge.cards import LinearMap
from cvat_bridge.cards.crops import render, window_around
from cvat_bridge.cards.drawing import draw_text, place_chips
from cvat_bridge.cards.layout import Rect, grid
from cvat_bridge.cards.theme import SUBJECT, TEXT

BOXES = st.tuples(st.floats(-200, 2000), st.floats(-200, 1200), st.floats(1, 2500), st.floats(1, 1500)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(box=BOXES, ax=st.floats(-500, 500), ay=st.floats(-500, 500), scale=st.floats(0.01, 100))
def test_a_linear_map_and_its_inverse_undo_each_other(box, ax, ay, scale) -> None:  # type: ignore[no-untyped-def]
    there = LinearMap((ax, ay), scale)
    assert there.inverse().box(there.box(box)) == pytest.approx(box, rel=1e-6, abs=1e-3)


def test_a_linear_map_has_a_scale_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        LinearMap((0, 0), 0)


@given(box=BOXES, aspect=st.floats(0.3, 3), margin=st.floats(0, 1))
def test_a_window_holds_the_whole_box_at_its_aspect(box, aspect, margin) -> None:  # type: ignore[no-untyped-def]
    x1, y1, x2, y2 = window_around(box, aspect, margin, 1920, 1080)
    assert (x2 - x1) / (y2 - y1) == pytest.approx(aspect)
    slack = 1e-6
    assert x1 <= box[0] + slack
    assert y1 <= box[1] + slack
    assert x2 >= box[2] - slack
    assert y2 >= box[3] - slack


def test_a_window_near_the_border_is_moved_into_the_frame() -> None:
    x1, y1, x2, y2 = window_around((300.0, 10.0, 316.0, 60.0), 0.6, 0.22, 320, 240)
    assert (x1 >= 0, y1 >= 0, x2 <= 320, y2 <= 240) == (True, True, True, True)


@given(
    count=st.integers(1, 12),
    aspect=st.floats(0.3, 3),
    width=st.integers(300, 1280),
    height=st.integers(200, 720),
    caption=st.sampled_from([0, 28]),
)
def test_a_grid_stays_in_its_area_and_its_cells_apart(  # type: ignore[no-untyped-def]
    count, aspect, width, height, caption
) -> None:
    area = Rect(10, 20, width, height)
    cells = grid(count, aspect, area, 12, caption)
    assert len(cells) == count
    taken = np.zeros((20 + height, 10 + width), int)
    for x, y, w, h in cells:
        assert x >= area.x
        assert y >= area.y
        assert x + w <= area.x + area.w
        assert y + h + caption <= area.y + area.h + 1
        taken[y : y + h + caption, x : x + w] += 1
    assert taken.max() == 1


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0], ids=["enlarged", "as it is", "reduced"])
def test_a_rendered_window_shows_the_place_that_its_map_says(scale: float) -> None:
    x = np.arange(400) * 255 / 400
    frame = np.repeat(x[None, :, None], 300, axis=0).repeat(3, axis=2).astype(np.uint8)
    offset = 120.25
    picture = render(frame, LinearMap((offset, 40.0), scale), 60, 40)
    expected = (offset + scale * (np.arange(60) + 0.5) - 0.5) * 255 / 400
    assert np.abs(picture[20, :, 0] - expected).max() < 1.5


def test_reducing_averages_instead_of_picking_pixels() -> None:
    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::2] = 200
    picture = render(stripes, LinearMap((0.0, 0.0), 4.0), 50, 50)
    assert np.abs(picture[5:-5, 5:-5].astype(int) - 100).max() <= 2


def test_text_that_leaves_the_picture_is_cut_off() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    draw_text(image, "outside", (500, 20))
    assert not image.any()
    draw_text(image, "half outside", (30, 20))
    assert image[:, 30:].max() == max(TEXT)


def test_chips_of_boxes_that_coincide_do_not_cover_each_other() -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    box = (120.0, 100.0, 170.0, 220.0)
    areas = []
    for count in (1, 2, 3, 4):
        image[:] = 0
        place_chips(image, [(letter, box, SUBJECT) for letter in "ABCD"[:count]])
        areas.append(int(image.any(axis=2).sum()))
    assert np.diff(areas).min() > 0.9 * areas[0]
