"""Cards that ask whether a box, or a whole tracklet, is one valid object."""

from __future__ import annotations

from cvat_bridge.cards import parts, theme
from cvat_bridge.cards.crops import CLOSE, WIDE, crop_aspect
from cvat_bridge.cards.layout import Rect, grid
from cvat_bridge.cards.parts import CONTENT, Mark
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource
from spam_model.values import Query

STRIP_LENGTH = 8  # crops of a tracklet
SCENES = 3  # whole frames of it
PLACE_STEPS = range(-3, 4)  # pictures of one place, before and after
PLACE_STEP = 0.2  # seconds between them
TRAIL = 1.0  # seconds of other objects' ways


def detection_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """One box: it and the same place earlier and later. A tracklet: it all along its way."""
    return _box_card(query, frames, context) if len(query.subject) == 1 else _tracklet_card(query, frames, context)


def _box_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    anchor, info = query.subject[0], frames.info
    card = parts.blank_card()
    parts.draw_question(card, f"Does the marked box show one {parts.class_name(query, frames)}?")
    parts.draw_keys(card, query)

    side = CONTENT.h - theme.CAPTION_HEIGHT
    large = Rect(CONTENT.x, CONTENT.y, side, side).fit(crop_aspect([anchor.box], WIDE, lowest=0.7))
    rest = CONTENT.cut_left(large.w, 2 * theme.GAP)[1]
    parts.draw_crop(card, large, frames, anchor.frame, anchor.box, WIDE, theme.SUBJECT, thickness=3)
    parts.draw_caption(card, f"frame {anchor.frame}", large)

    strip = rest.cut_top(round(rest.h * 0.44))[0]
    step = max(round(PLACE_STEP * info.frame_rate), 1)
    shown = [anchor.frame + step * offset for offset in PLACE_STEPS]
    shown = [frame for frame in shown if 0 <= frame < info.frame_count]
    cells = grid(len(shown), crop_aspect([anchor.box], CLOSE), strip, theme.GAP, theme.CAPTION_HEIGHT)
    for frame, cell in zip(shown, cells, strict=True):
        is_asked = frame == anchor.frame
        parts.draw_crop(card, cell, frames, frame, anchor.box, CLOSE, theme.SUBJECT if is_asked else None)
        caption = str(frame) if is_asked else parts.signed_seconds((frame - anchor.frame) / info.frame_rate)
        parts.draw_caption(card, caption, cell, theme.TEXT if is_asked else theme.MUTED)
    around = round(TRAIL * info.frame_rate)
    others = parts.other_paths(context, query, anchor.frame - around, anchor.frame + around)
    marks = [Mark("?", theme.SUBJECT, anchor.box)]
    parts.draw_scene(card, _below(rest, cells), frames, anchor.frame, marks, others)
    return Card(card)


def _tracklet_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    subject, info = query.subject, frames.info
    first, last = subject[0], subject[-1]
    card = parts.blank_card()
    parts.draw_question(card, f"Is this one {parts.class_name(query, frames)}, in all pictures?")
    parts.draw_keys(card, query)
    seconds = (last.frame - first.frame) / info.frame_rate
    parts.draw_note(card, f"{len(subject)} boxes, frames {first.frame}–{last.frame} ({seconds:.1f} s)")

    shown = parts.evenly(subject, STRIP_LENGTH)
    aspect = crop_aspect([anchor.box for anchor in shown], CLOSE)
    strip = CONTENT.cut_top(round(CONTENT.h * 0.56))[0]
    cells = grid(len(shown), aspect, strip, theme.GAP, theme.CAPTION_HEIGHT)
    for anchor, cell in zip(shown, cells, strict=True):
        parts.draw_crop(card, cell, frames, anchor.frame, anchor.box, CLOSE, theme.SUBJECT)
        parts.draw_caption(card, str(anchor.frame), cell)

    around = round(TRAIL * info.frame_rate)
    scenes = parts.evenly(subject, SCENES)
    places = grid(len(scenes), info.width / info.height, _below(CONTENT, cells), theme.GAP, theme.CAPTION_HEIGHT)
    for anchor, cell in zip(scenes, places, strict=True):
        others = parts.other_paths(context, query, anchor.frame - around, anchor.frame + around)
        mark = Mark("?", theme.SUBJECT, anchor.box, path=subject)
        place = parts.draw_scene(card, cell, frames, anchor.frame, [mark], others)
        parts.draw_caption(card, f"frame {anchor.frame}", place)
    return Card(card)


def _below(area: Rect, cells: list[Rect]) -> Rect:
    """What is left of ``area`` below its captioned cells."""
    return area.cut_top(cells[-1].y + cells[-1].h + theme.CAPTION_HEIGHT - area.y, theme.GAP)[1]
