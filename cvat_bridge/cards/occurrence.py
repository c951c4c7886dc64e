"""Cards that ask where an object appears next, anywhere in the video.

The options lie apart in time and place, so each has a column of its own: when, who, and where in the frame.
"""

from __future__ import annotations

from cvat_bridge.cards import parts, theme
from cvat_bridge.cards.crops import CLOSE, crop_aspect
from cvat_bridge.cards.drawing import draw_chip, draw_text
from cvat_bridge.cards.layout import Rect
from cvat_bridge.cards.parts import CONTENT, Mark
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource, Image
from spam_model.values import OPTION_LETTERS, RECOGNISED_BY, Anchor, Query

SUBJECT_CROPS = 8
LOOK_BACK = 3.0  # seconds: how far back the subject's crops reach
WIDEST_COLUMN = 400  # px
SCENE_SHARE = 0.38  # of a column's height, at the most
LATER_CROPS = 2


def occurrence_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """The subject's last crops and where it was last seen above; a column for each option below."""
    card = parts.blank_card()
    parts.draw_question(card, f"Where does this {parts.class_name(query, frames)} appear next?")
    parts.draw_keys(card, query)
    above, below = CONTENT.cut_top(round(CONTENT.h * 0.37), theme.GAP)
    _draw_subject(card, above, query, frames, context)
    count = len(query.options)
    width = min((below.w - theme.GAP * (count - 1)) // count, WIDEST_COLUMN)
    for index in range(count):
        column = Rect(below.x + index * (width + theme.GAP), below.y, width, below.h)
        _draw_option(card, column, index, query, frames)
    return Card(card)


def _draw_subject(card: Image, row: Rect, query: Query, frames: FrameSource, context: CardContext) -> None:
    info, last = frames.info, query.subject[-1]
    reach = round(LOOK_BACK * info.frame_rate)
    recent = [anchor for anchor in query.subject if anchor.frame >= last.frame - reach]
    parts.draw_heading(card, "Seen", row, f"until frame {last.frame}")
    body = row.cut_top(parts.HEADING_HEIGHT)[1]
    scene = Rect(body.x + body.w - round(body.h * info.width / info.height), body.y, body.w, body.h)
    room = body.cut_left(scene.x - body.x - 2 * theme.GAP)[0]
    cells = parts.draw_strip(card, room, frames, recent, SUBJECT_CROPS, theme.SUBJECT)
    draw_chip(card, "?", (cells[-1].x, cells[-1].y), fill=theme.SUBJECT, size=26, height=36)
    others = parts.other_paths(context, query, last.frame - reach, last.frame)
    mark = Mark("?", theme.SUBJECT, last.box, path=tuple(recent))
    parts.draw_scene(card, scene._replace(w=CONTENT.x + CONTENT.w - scene.x), frames, last.frame, [mark], others)


def _draw_option(card: Image, column: Rect, index: int, query: Query, frames: FrameSource) -> None:
    """When it is, the box that the answer speaks of, how it goes on, and the whole frame."""
    info, option, colour = frames.info, query.options[index], theme.OPTION_COLOURS[index]
    shown = query.facing[1][index]
    seconds = (shown.frame - query.subject[-1].frame) / info.frame_rate
    body = column.cut_top(parts.HEADING_HEIGHT)[1]
    height = min(round(column.w * info.height / info.width), round(SCENE_SHARE * body.h))
    pictures, place = body.cut_top(body.h - height - theme.GAP, theme.GAP)
    aspect = crop_aspect([anchor.box for anchor in option], CLOSE, highest=1.0)
    main = pictures.fit(aspect)
    above = (main.x + main.w // 2, column.y + parts.HEADING_HEIGHT // 2 - 3)
    draw_text(card, parts.signed_seconds(seconds), above, anchor="mm")
    room = pictures.cut_left(main.w, parts.NEAR_GAP)[1]
    parts.draw_crop(card, main, frames, shown.frame, shown.box, CLOSE, colour)
    parts.draw_border(card, main, colour)
    draw_chip(card, OPTION_LETTERS[index], (main.x, main.y), fill=colour, size=26, height=36)
    _draw_later(card, room, frames, option, shown, aspect, colour)
    parts.draw_scene(card, place, frames, shown.frame, [Mark("", colour, shown.box)])


def _draw_later(
    card: Image,
    room: Rect,
    frames: FrameSource,
    option: tuple[Anchor, ...],
    shown: Anchor,
    aspect: float,
    colour: theme.Colour,
) -> None:
    """Further boxes of the option, one below the other, where there is room beside the first."""
    later = [anchor for anchor in option if anchor.frame > shown.frame][RECOGNISED_BY // 2 :: RECOGNISED_BY]
    height = (room.h - parts.NEAR_GAP * (LATER_CROPS - 1)) // LATER_CROPS
    width = round(height * aspect)
    if width > room.w:
        return
    for turn, anchor in enumerate(later[:LATER_CROPS]):
        cell = Rect(room.x, room.y + turn * (height + parts.NEAR_GAP), width, height)
        parts.draw_crop(card, cell, frames, anchor.frame, anchor.box, CLOSE, colour, thickness=1)
