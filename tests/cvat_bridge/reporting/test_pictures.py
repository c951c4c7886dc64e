from __future__ import annotations

import base64
import io
import math
from dataclasses import replace
from xml.etree import ElementTree as Tree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PilImage

from cvat_bridge.reporting import RoundSummary, overlay_clip, overlay_frame, track_colour
from cvat_bridge.reporting.charts import SHADES, _runs, effort_curve, shade_colours, track_timeline
from cvat_bridge.reporting.pictures import CARD_LADDER, card_uris, contact_sheet
from spam_model.values import ClipInfo
from tests.cvat_bridge.cards.painted import PaintedFrames, labels_of, tracklet

INFO = ClipInfo("street", 60, 20.0, 160, 120)
FRAMES = PaintedFrames(INFO)
LABELS = labels_of(INFO, [tracklet(0, 10, (40.0, 30.0, 60.0, 80.0), 20), tracklet(50, 15, (90.0, 30.0, 99.0, 60.0))])


def decoded(uri: str) -> PilImage.Image:
    return PilImage.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_an_overlay_leaves_the_frame_itself_alone() -> None:
    frame = FRAMES.frame(15)
    before = frame.copy()
    drawn = overlay_frame(frame, LABELS, 15)
    assert (frame == before).all()
    assert drawn.shape == frame.shape
    assert (drawn != frame).any()


def test_a_frame_without_tracks_stays_as_it_is() -> None:
    frame = FRAMES.frame(50)
    assert (overlay_frame(frame, LABELS, 50) == frame).all()


@pytest.mark.parametrize("zoom", [1, 2, 4])
def test_an_overlay_draws_the_box_where_it_is_at_any_size(zoom: int) -> None:
    image = np.zeros((120 * zoom, 160 * zoom, 3), np.uint8)
    drawn = overlay_frame(image, LABELS, 10)
    assert tuple(drawn[60 * zoom, 40 * zoom]) == track_colour(1), "left edge"
    assert tuple(drawn[80 * zoom, 50 * zoom]) == track_colour(1), "lower edge"
    assert not drawn[60 * zoom, 50 * zoom].any(), "inside"


def test_a_filled_gap_is_drawn_as_a_broken_line() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    gap = replace(LABELS, occluded=np.ones(len(LABELS), bool))
    along_the_edge = overlay_frame(image, gap, 10)[70:150, 80].any(axis=1)
    assert along_the_edge.any()
    assert not along_the_edge.all()


def test_neighbouring_identities_have_clearly_different_colours() -> None:
    colours = np.array([track_colour(track) for track in range(40)], int)
    assert np.abs(np.diff(colours, axis=0)).max(axis=1).min() > 80
    assert track_colour(7) == track_colour(7)


def test_the_contact_sheet_spans_the_clip() -> None:
    sheet = contact_sheet(FRAMES, LABELS)
    frames = [frame for frame, _ in sheet]
    assert (frames[0], frames[-1], len(frames)) == (0, 59, 9)
    assert decoded(sheet[0][1]).size == (640, 480)


def test_the_contact_sheet_of_one_frame_is_that_frame() -> None:
    info = replace(INFO, frame_count=1)
    assert [frame for frame, _ in contact_sheet(PaintedFrames(info), labels_of(info, []))] == [0]


def test_the_clip_plays_at_real_speed() -> None:
    clip = overlay_clip(FRAMES, LABELS)
    assert clip is not None
    picture = PilImage.open(io.BytesIO(clip))
    shown = []
    for index in range(picture.n_frames):
        picture.seek(index)
        picture.load()
        shown.append(picture.info["duration"])
    assert len(shown) > 15
    assert sum(shown) == 3000, "60 frames at 20 a second; pictures that look the same are one that stays longer"


def test_there_is_no_clip_of_one_frame_nor_one_above_the_budget() -> None:
    info = replace(INFO, frame_count=1)
    assert overlay_clip(PaintedFrames(info), labels_of(info, [])) is None
    assert overlay_clip(FRAMES, LABELS, budget=100) is None


def test_cards_shrink_until_all_fit_and_the_rest_is_left_out() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (450, 800, 3), dtype=np.uint8)
    cards = [noise] * 3
    widths, bytes_used = [], []
    for budget in (10_000_000, 300_000, 60_000, 0):
        uris = card_uris(cards, budget)
        kept = [uri for uri in uris if uri is not None]
        widths.append(decoded(kept[0]).size[0] if kept else 0)
        bytes_used.append(sum(len(base64.b64decode(uri.partition(",")[2])) for uri in kept))
        assert bytes_used[-1] <= budget
        assert uris == kept + [None] * (3 - len(kept)), "the first ones are shown"
    assert widths[0] == CARD_LADDER[0][0]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0
    assert card_uris([]) == []


@given(data=st.data(), count=st.integers(1, 60))
def test_the_runs_of_a_track_are_what_each_frame_says(data: st.DataObject, count: int) -> None:
    frames = sorted(data.draw(st.sets(st.integers(0, 59), min_size=count, max_size=count)))
    draw = lambda values: np.array(data.draw(st.lists(values, min_size=count, max_size=count)))  # noqa: E731
    uncertainty = draw(st.floats(0, math.log(2)))
    filled = draw(st.booleans())
    labels = labels_of(INFO, [tuple(tracklet(k, f, (0.0, 0.0, 9.0, 9.0))[0] for k, f in enumerate(frames))])
    labels = replace(labels, uncertainty=uncertainty, occluded=filled)
    painted = {
        column: (shade, gap)
        for first, last, shade, gap in _runs(labels, slice(0, count), columns=60)
        for column in range(first, last)
    }
    expected = {
        frame: (min(int(u / math.log(2) * SHADES), SHADES - 1), bool(gap))
        for frame, u, gap in zip(frames, uncertainty, filled, strict=True)
    }
    assert painted == expected


def test_a_column_of_many_frames_shows_the_most_uncertain_of_them() -> None:
    info = replace(INFO, frame_count=600)
    labels = labels_of(info, [tracklet(0, 0, (0.0, 0.0, 9.0, 9.0), 600, step=0.1)], uncertainty=0.0)
    doubt = labels.uncertainty.copy()
    doubt[305] = math.log(2)
    runs = _runs(replace(labels, uncertainty=doubt), slice(0, 600), columns=60)
    assert runs == [(0, 30, 0, False), (30, 31, SHADES - 1, False), (31, 60, 0, False)]


def test_the_time_line_has_one_row_a_track_in_order_of_appearance() -> None:
    svg = Tree.fromstring(track_timeline(LABELS))
    names = [node.text for node in svg.iter("text") if (node.text or "").startswith("track")]
    assert names == ["track 1", "track 2"]
    strokes = {node.attrib["stroke"] for node in svg.iter("path") if "stroke" in node.attrib}
    assert strokes <= set(shade_colours())
    assert len(set(shade_colours())) == SHADES


@pytest.mark.parametrize("hota", [[60.0], [60.0, 60.0], [57.2, 63.3, 69.1], [70.0, 65.0]])
def test_the_curve_has_a_dot_a_round_inside_its_frame(hota: list[float]) -> None:
    points = [(RoundSummary(k, 10 * k, 0.01 * k, {"HOTA": h}, 1.0), h) for k, h in enumerate(hota)]
    svg = Tree.fromstring(effort_curve(points))
    dots = list(svg.iter("circle"))
    assert len(dots) == len(hota)
    x, y = (np.array([float(dot.attrib[name]) for dot in dots]) for name in ("cx", "cy"))
    assert (np.diff(x) > 0).all()
    assert (np.sign(np.diff(y)) == -np.sign(np.diff(hota))).all(), "higher is better is up"
    assert x.min() >= 40
    assert x.max() <= 440
    assert y.min() >= 30
    assert y.max() <= 250
