"""Cards that ask which of several tracklets goes on with the one in question, after a meeting or a short gap.

Two rows, before and after, each of crops at the left and the part of the frame where it happens at the right.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from cvat_bridge.cards import parts, theme
from cvat_bridge.cards.crops import CLOSE, crop_aspect
from cvat_bridge.cards.drawing import draw_chip
from cvat_bridge.cards.layout import Rect, grid
from cvat_bridge.cards.parts import CONTENT, NEAR_GAP, Mark
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource, Image
from spam_model.values import OPTION_LETTERS, Anchor, Query, Topic

LOOK_BACK = 1.0  # seconds: how far back the subject's earlier crops reach, and the ways that are drawn
LOOK_ON = 0.5  # seconds from an option's first crop to its second one, and on to its third
BEFORE_CROPS = 5
CROPS_SHARE = 0.66  # of a row's width, at the most


def association_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """The subject's last crops above, the lettered options below."""
    card = parts.blank_card()
    parts.draw_question(card, _question(query, frames))
    parts.draw_keys(card, query)
    many = len(query.options) > 4
    before, after = CONTENT.cut_top(round(CONTENT.h * (0.4 if many else 0.46)), theme.GAP)
    _draw_before(card, before, query, frames, context)
    _draw_after(card, after, query, frames, context)
    return Card(card)


def _question(query: Query, frames: FrameSource) -> str:
    which = "Which one is" if len(query.options) > 1 else "Is A"
    same = f"{which} the same {parts.class_name(query, frames)}"
    if query.topic is Topic.CROSSING:
        return f"{same} after the meeting?"
    gaps = [_seconds(query, option[0], frames) for option in query.options]
    return f"{same}, {_span(gaps)} later?" if min(gaps) > 0 else f"{same}?"


def _draw_before(card: Image, row: Rect, query: Query, frames: FrameSource, context: CardContext) -> None:
    info, last = frames.info, query.subject[-1]
    reach = round(LOOK_BACK * info.frame_rate)
    recent = [anchor for anchor in query.subject if anchor.frame >= last.frame - reach]
    first = f"{recent[0].frame}–" if len(recent) > 1 else ""
    parts.draw_heading(card, "Before", row, f"frame{'s' if first else ''} {first}{last.frame}")
    body = row.cut_top(parts.HEADING_HEIGHT)[1]
    room = body._replace(w=round(CROPS_SHARE * body.w))
    cells = parts.draw_strip(card, room, frames, recent, BEFORE_CROPS, theme.SUBJECT)
    draw_chip(card, "?", (cells[-1].x, cells[-1].y), fill=theme.SUBJECT, size=26, height=36)
    mark = Mark("?", theme.SUBJECT, last.box, path=tuple(recent))
    others = parts.other_paths(context, query, last.frame - reach, last.frame)
    _draw_where(card, body.right_of(cells, 2 * theme.GAP), query, frames, last.frame, [mark], others)


def _draw_after(card: Image, row: Rect, query: Query, frames: FrameSource, context: CardContext) -> None:
    reach = round(LOOK_BACK * frames.info.frame_rate)
    shown = query.facing[1]
    frame = _common_frame(query)
    parts.draw_heading(card, "After", row)
    body = row.cut_top(parts.HEADING_HEIGHT)[1]
    room = body._replace(w=round(CROPS_SHARE * body.w))
    aspect = crop_aspect([anchor.box for anchor in shown], CLOSE)
    further = min(2 if len(shown) <= 2 else 1, max(map(len, query.options)) - 1)
    tiles = _tiles(len(shown), further, aspect, room, theme.CAPTION_HEIGHT)
    marks = [Mark("", theme.SUBJECT, query.subject[-1].box, ghost=True)]
    for index, (option, anchor, (main, *small)) in enumerate(zip(query.options, shown, tiles, strict=True)):
        letter, colour = OPTION_LETTERS[index], theme.OPTION_COLOURS[index]
        parts.draw_crop(card, main, frames, anchor.frame, anchor.box, CLOSE, colour)
        parts.draw_border(card, main, colour)
        draw_chip(card, letter, (main.x, main.y), fill=colour, size=26, height=36)
        for other, cell in zip(
            _further(option, anchor, len(small), LOOK_ON * frames.info.frame_rate), small, strict=False
        ):
            parts.draw_crop(card, cell, frames, other.frame, other.box, CLOSE, colour, thickness=1)
        parts.draw_caption(card, parts.signed_seconds(_seconds(query, anchor, frames)), main, theme.TEXT)
        now = next((a for a in option if a.frame == frame), None)
        path = tuple(a for a in option if a.frame <= option[0].frame + reach)
        marks.append(Mark(letter, colour, (now or anchor).box, path, ghost=now is None))
    others = parts.other_paths(context, query, frame, frame + reach)
    used = [cell for tile in tiles for cell in tile]
    _draw_where(card, body.right_of(used, 2 * theme.GAP), query, frames, frame, marks, others)


def _draw_where(
    card: Image,
    area: Rect,
    query: Query,
    frames: FrameSource,
    frame: int,
    marks: list[Mark],
    others: list[np.ndarray],
) -> None:
    """The part of the frame that holds the subject and all options, in both rows."""
    area = area._replace(w=min(area.w, round(area.h * frames.info.width / frames.info.height)))
    boxes = [query.subject[-1].box, *(anchor.box for anchor in query.facing[1])]
    window = parts.close_up(boxes, area.w / area.h, frames.info)
    parts.draw_scene(card, area, frames, frame, marks, others, window)
    parts.draw_note_on(card, f"frame {frame}", area)


def _tiles(count: int, extra: int, aspect: float, area: Rect, caption: int) -> list[list[Rect]]:
    """For each of ``count`` options a large place, and ``extra`` smaller ones for its other boxes.

    They lie side by side, the smaller ones as large as costs the large one nothing; or, where that makes the large
    one larger, one below the other. The caption goes below the large one.
    """
    if extra == 0:
        return [[cell] for cell in grid(count, aspect, area, theme.GAP, caption)]
    for share in (1.0, 0.75, 0.5):
        beside = grid(count, (1 + extra * share) * aspect, area, 2 * theme.GAP, caption)
        if beside[0].h + caption > 0.95 * area.h:
            break
    stacked = grid(count, aspect / 1.5, area, theme.GAP, caption + NEAR_GAP)
    if stacked[0].w > beside[0].h * aspect:
        halves = [cell.cut_top(round(cell.h / 1.5), caption + NEAR_GAP) for cell in stacked]
        return [[main, rest._replace(h=main.h // 2).fit(aspect)] for main, rest in halves]
    tiles = []
    for cell in beside:
        main, rest = cell.cut_left(round(cell.h * aspect), NEAR_GAP)
        smaller = grid(extra, aspect, rest, NEAR_GAP)
        tiles.append([main, *smaller])
    return tiles


def _seconds(query: Query, anchor: Anchor, frames: FrameSource) -> float:
    """From the subject's last box to this one."""
    return (anchor.frame - query.subject[-1].frame) / frames.info.frame_rate


def _span(gaps: list[float]) -> str:
    low, high = f"{min(gaps):.1f}", f"{max(gaps):.1f}"
    if low == high:
        return f"{min(gaps):.2f} s" if min(gaps) < 1 else f"{low} s"
    return f"{low}–{high} s"


def _common_frame(query: Query) -> int:
    """Among the frames of the options' large crops the one that shows most options; the earliest of them."""
    present = Counter(anchor.frame for option in query.options for anchor in option)
    frames = sorted({anchor.frame for anchor in query.facing[1]})
    return max(frames, key=lambda frame: present[frame])


def _further(option: tuple[Anchor, ...], shown: Anchor, count: int, step: float) -> list[Anchor]:
    """Up to ``count`` other boxes of the option, each about ``step`` frames after the one before."""
    frames = np.array([anchor.frame - shown.frame for anchor in option])
    rows = {int(np.argmin(np.abs(frames - step * turn))) for turn in range(1, count + 1)}
    return [option[row] for row in sorted(rows) if option[row] != shown]
