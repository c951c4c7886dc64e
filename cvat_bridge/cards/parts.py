"""The parts that every card is put together from: header with keys, crops with captions, whole frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cvat_bridge.cards import theme
from cvat_bridge.cards.crops import CLOSE, card_to_frame, crop_aspect, render, window_around
from cvat_bridge.cards.drawing import (
    chip_width,
    draw_box,
    draw_chip,
    draw_dashed_box,
    draw_faint_paths,
    draw_path,
    draw_text,
    place_chips,
    text_width,
)
from cvat_bridge.cards.layout import Rect, grid
from cvat_bridge.cards.theme import Colour
from cvat_bridge.cards.values import CardContext, LinearMap
from spam_model.data.clip import FrameSource, Image
from spam_model.values import Anchor, Box, ClipInfo, Query

T = TypeVar("T")

PATH_POINTS = 12  # of a way that is drawn: enough to see it, few enough not to see the boxes jitter
HEADING_HEIGHT = 30
NEAR_GAP = 4  # px between pictures of one option
SCENES = 3  # whole frames along a tracklet's way
TRAIL = 1.0  # seconds of other objects' ways
AROUND = 0.4  # margin around all the boxes of a close-up over the root of their area
CONTENT = Rect(
    theme.MARGIN,
    theme.CONTENT_TOP,
    theme.CARD_WIDTH - 2 * theme.MARGIN,
    theme.CARD_HEIGHT - theme.CONTENT_TOP - theme.MARGIN,
)


def blank_card() -> Image:
    """[720, 1280, 3] of background."""
    return np.full((theme.CARD_HEIGHT, theme.CARD_WIDTH, 3), theme.BACKGROUND, np.uint8)


def draw_question(card: Image, question: str) -> None:
    """The question, right of where CVAT's badge lies."""
    x, size = theme.BADGE_WIDTH + 20, theme.TITLE_SIZE
    while text_width(question, size, bold=True) > theme.CARD_WIDTH - theme.MARGIN - x and size > theme.SMALL_SIZE:
        size -= 1
    draw_text(card, question, (x, 32), size=size, bold=True)


def draw_keys(card: Image, query: Query) -> None:
    """The digit keys and what they mean, in the order of the query's choices."""
    x = theme.MARGIN
    for key, choice in enumerate(query.choices, start=1):
        x += draw_chip(card, str(key), (x, 62), fill=theme.TEXT).w + 8
        x += draw_text(card, f"= {choice}", (x, 77), size=theme.TEXT_SIZE) + 26


def draw_hint(card: Image, hint: str) -> None:
    """What to do where no digit key answers, in place of the keys."""
    draw_text(card, hint, (theme.MARGIN, 77), size=theme.TEXT_SIZE)


def draw_note(card: Image, note: str) -> None:
    """Small print at the right of the keys' row; the question itself never depends on it."""
    draw_text(card, note, (theme.CARD_WIDTH - theme.MARGIN, 77), colour=theme.MUTED, anchor="rm")


def draw_heading(card: Image, heading: str, area: Rect, note: str = "") -> None:
    """In the uppermost ``HEADING_HEIGHT`` px of an area, with small print beside it."""
    y = area.y + HEADING_HEIGHT // 2 - 3
    width = draw_text(card, heading, (area.x, y), size=theme.TEXT_SIZE, bold=True)
    draw_text(card, note, (area.x + width + 14, y), colour=theme.MUTED)


def draw_caption(card: Image, text: str, picture: Rect, colour: Colour = theme.MUTED) -> None:
    """Centred below a picture."""
    draw_text(card, text, (picture.x + picture.w // 2, picture.y + picture.h + 16), colour=colour, anchor="mm")


def draw_crop(
    card: Image,
    place: Rect,
    frames: FrameSource,
    frame: int,
    box: Box,
    margin: float,
    colour: Colour | None,
    thickness: int = 2,
) -> None:
    """The surroundings of ``box`` at ``place``; without a colour it is marked as a place only."""
    info = frames.info
    window = window_around(box, place.w / place.h, margin, info.width, info.height)
    to_frame = card_to_frame(window, Rect(0, 0, place.w, place.h))
    picture = render(frames.frame(frame), to_frame, place.w, place.h)
    shown = to_frame.inverse().box(box)
    if colour is None:
        draw_dashed_box(picture, shown, theme.OTHERS)
    else:
        draw_box(picture, shown, colour, thickness)
    card[place.y : place.y + place.h, place.x : place.x + place.w] = picture


def draw_note_on(card: Image, text: str, picture: Rect) -> None:
    """Small print in the lower right corner of a picture."""
    width = chip_width(text, theme.SMALL_SIZE, 26)
    at = (picture.x + picture.w - width - NEAR_GAP, picture.y + picture.h - 26 - NEAR_GAP)
    draw_chip(card, text, at, fill=theme.BACKGROUND, size=theme.SMALL_SIZE, height=26)


def draw_strip(
    card: Image, area: Rect, frames: FrameSource, anchors: Sequence[Anchor], most: int, colour: Colour
) -> list[Rect]:
    """As many of the boxes as find room side by side, evenly spaced, the last one framed. Returns their places."""
    aspect = crop_aspect([anchor.box for anchor in anchors], CLOSE)
    room = int((area.w + theme.GAP) / (area.h * aspect + theme.GAP))
    shown = evenly(anchors, min(room, most)) if room > 1 else [anchors[-1]]
    cells = grid(len(shown), aspect, area, theme.GAP)
    for anchor, cell in zip(shown, cells, strict=True):
        draw_crop(card, cell, frames, anchor.frame, anchor.box, CLOSE, colour)
    draw_border(card, cells[-1], colour)
    return cells


def draw_border(card: Image, place: Rect, colour: Colour, thickness: int = 4) -> None:
    """A frame around a picture, inside its rectangle."""
    inside = card[place.y : place.y + place.h, place.x : place.x + place.w]
    picture = inside[thickness:-thickness, thickness:-thickness].copy()
    inside[:] = colour
    inside[thickness:-thickness, thickness:-thickness] = picture


@dataclass(frozen=True)
class Mark:
    """An object in a whole frame: its box (None where it is elsewhere), its label, and the way it goes.

    ``ghost`` marks a box of another time, drawn as an outline only.
    """

    label: str
    colour: Colour
    box: Box | None
    path: tuple[Anchor, ...] = ()
    ghost: bool = False


def draw_scene(
    card: Image,
    area: Rect,
    frames: FrameSource,
    frame: int,
    marks: Sequence[Mark],
    others: Sequence[np.ndarray] = (),
    window: Box | None = None,
) -> Rect:
    """The whole frame as large as it fits in ``area``, or its part ``window`` (frame px, of the area's aspect).

    ``others`` are paths [K, 2] in frame px. Returns the picture's place.
    """
    info = frames.info
    if window is None:
        place, window = area.fit(info.width / info.height), (0.0, 0.0, float(info.width), float(info.height))
    else:
        place = area
    to_frame = card_to_frame(window, Rect(0, 0, place.w, place.h))
    to_card = to_frame.inverse()
    picture = render(frames.frame(frame), to_frame, place.w, place.h)
    draw_faint_paths(picture, [_points_on(to_card, path) for path in others], theme.OTHERS)
    for mark in marks:
        draw_path(picture, _points_on(to_card, foot_points(evenly(mark.path, PATH_POINTS))), mark.colour)
    boxes = [(mark, to_card.box(mark.box)) for mark in marks if mark.box is not None]
    for mark, box in boxes:
        if mark.ghost:
            draw_dashed_box(picture, box, mark.colour)
        else:
            draw_box(picture, box, mark.colour)
    place_chips(picture, [(mark.label, box, mark.colour) for mark, box in boxes if mark.label])
    card[place.y : place.y + place.h, place.x : place.x + place.w] = picture
    return place


def close_up(boxes: Sequence[Box], aspect: float, info: ClipInfo) -> Box:
    """The part of the frame that shows all these boxes and their surroundings, at ``aspect``."""
    x1, y1, x2, y2 = np.array(boxes).T
    box = (float(x1.min()), float(y1.min()), float(x2.max()), float(y2.max()))
    return window_around(box, aspect, AROUND, info.width, info.height)


def draw_way(card: Image, area: Rect, query: Query, frames: FrameSource, context: CardContext) -> None:
    """Whole frames along the subject's way: the first, the middle and the last."""
    info, subject = frames.info, query.subject
    reach = round(TRAIL * info.frame_rate)
    scenes = evenly(subject, SCENES)
    places = grid(len(scenes), info.width / info.height, area, theme.GAP, theme.CAPTION_HEIGHT)
    for anchor, cell in zip(scenes, places, strict=True):
        others = other_paths(context, query, anchor.frame - reach, anchor.frame + reach)
        mark = Mark("?", theme.SUBJECT, anchor.box, path=subject)
        place = draw_scene(card, cell, frames, anchor.frame, [mark], others)
        draw_caption(card, f"frame {anchor.frame}", place)


def foot_points(anchors: Sequence[Anchor]) -> np.ndarray:
    """[K, 2]: bottom centres, frame px."""
    boxes = np.array([anchor.box for anchor in anchors]).reshape(-1, 4)
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)


def other_paths(context: CardContext, query: Query, first: int, last: int) -> list[np.ndarray]:
    """Bottom centres [K, 2] of the other objects' tracks in frames ``first`` … ``last``.

    Tracks that hold a box of the question are left out: they would show what the model thinks the answer is.
    """
    labels = context.labels
    if labels is None:
        return []
    parts = (query.subject, *query.options, query.between or ())
    asked = [anchor.candidate_id for part in parts for anchor in part]
    own = np.unique(labels.track[np.isin(labels.candidate_id, asked)])
    use = (labels.frame >= first) & (labels.frame <= last) & ~np.isin(labels.track, own)
    track, box = labels.track[use], labels.box[use]
    points = np.stack([(box[:, 0] + box[:, 2]) / 2, box[:, 3]], axis=1)
    paths = np.split(points, np.flatnonzero(np.diff(track)) + 1)
    return [np.array(evenly(list(path), PATH_POINTS)) for path in paths if len(path) > 1]


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of the items, evenly spaced, the first and the last among them."""
    rows = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[row] for row in rows]


def signed_seconds(seconds: float, digits: int = 1) -> str:
    """``+0.4 s``, with a minus sign that is one."""
    return f"{seconds:+.{digits}f} s".replace("-", "−")


def around(track: Sequence[Anchor], first: int, last: int, steps: Sequence[int]) -> tuple[list[Anchor], list[Anchor]]:
    """Of a track's boxes outside frames ``first`` … ``last`` those about so many frames before, and after.

    ``steps`` ascend; both lists are in time order, and no box occurs twice.
    """
    before = [anchor for anchor in track if anchor.frame < first]
    after = [anchor for anchor in track if anchor.frame > last]
    return _nearest(before, [first - step for step in steps]), _nearest(after, [last + step for step in steps])


def extent(query: Query, frames: FrameSource) -> str:
    """How long the subject is, in words."""
    first, last, count = query.subject[0].frame, query.subject[-1].frame, len(query.subject)
    boxes = f"{count} box{'es' if count > 1 else ''}"
    if first == last:
        return f"{boxes}, frame {first}"
    return f"{boxes}, frames {first}–{last} ({(last - first) / frames.info.frame_rate:.1f} s)"


def class_name(query: Query, frames: FrameSource) -> str:
    """What the object in question is called."""
    return frames.info.class_names[query.subject[0].class_id]


def _points_on(to_card: LinearMap, points: np.ndarray) -> np.ndarray:
    """[K, 2] frame px -> card px."""
    return to_card.offset + to_card.scale * points.reshape(-1, 2)


def _nearest(anchors: Sequence[Anchor], wanted: Sequence[int]) -> list[Anchor]:
    found = {min(anchors, key=lambda anchor: abs(anchor.frame - frame)) for frame in wanted} if anchors else set()
    return sorted(found, key=lambda anchor: anchor.frame)
