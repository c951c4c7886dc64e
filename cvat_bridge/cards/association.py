"""Cards that ask which of several tracklets goes on with the one in question.

Two rows, before and after, each of crops at the left and the whole frame at the right.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from cvat_bridge.cards import parts, theme
from cvat_bridge.cards.crops import CLOSE, crop_aspect
from cvat_bridge.cards.drawing import draw_chip, draw_text
from cvat_bridge.cards.layout import Rect, grid
from cvat_bridge.cards.parts import CONTENT, Mark
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource, Image
from spam_model.values import OPTION_LETTERS, Anchor, Query

LOOK_BACK = 1.0  # seconds: how far back the subject's earlier crops reach, and the ways that are drawn
LOOK_ON = 0.5  # seconds from an option's first crop to its second one, and on to its third
BEFORE_CROPS = 5
ROW_HEADER = 30
_NEAR_GAP = 4  # px between an option's pictures


def association_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """The subject's last crops above, the lettered options below."""
    card = parts.blank_card()
    gaps = _gaps(query, frames)
    when = f", {_span(gaps)} later" if min(gaps) > 0 else ""
    which = "Which one is" if len(query.options) > 1 else "Is A"
    parts.draw_question(card, f"{which} the same {parts.class_name(query, frames)}{when}?")
    parts.draw_keys(card, query)
    many = len(query.options) > 4
    before, after = CONTENT.cut_top(round(CONTENT.h * (0.38 if many else 0.46)), theme.GAP)
    _draw_before(card, before, query, frames, context)
    _draw_after(card, after, query, frames, context, gaps)
    return Card(card)


def _draw_before(card: Image, row: Rect, query: Query, frames: FrameSource, context: CardContext) -> None:
    info, last = frames.info, query.subject[-1]
    reach = round(LOOK_BACK * info.frame_rate)
    recent = [anchor for anchor in query.subject if anchor.frame >= last.frame - reach]
    pictures, scene = _crops_and_scene(row, info.width / info.height)
    aspect = crop_aspect([anchor.box for anchor in recent], CLOSE)
    room = int((pictures.w + theme.GAP) / (pictures.h * aspect + theme.GAP))
    shown = parts.evenly(recent, min(room, BEFORE_CROPS)) if room > 1 else [last]
    place = parts.draw_scene(
        card,
        scene,
        frames,
        last.frame,
        [Mark("?", theme.SUBJECT, last.box, path=tuple(recent))],
        parts.other_paths(context, query, last.frame - reach, last.frame),
    )
    numbers = ", ".join(str(anchor.frame) for anchor in shown)
    _row_header(card, row, "Before", f"frame{'s' if len(shown) > 1 else ''} {numbers}", place, f"frame {last.frame}")
    cells = grid(len(shown), aspect, pictures, theme.GAP)
    for anchor, cell in zip(shown, cells, strict=True):
        parts.draw_crop(card, cell, frames, anchor.frame, anchor.box, CLOSE, theme.SUBJECT)
    cell = cells[-1]
    parts.draw_border(card, cell, theme.SUBJECT)
    draw_chip(card, "?", (cell.x, cell.y), fill=theme.SUBJECT, size=26, height=36)


def _draw_after(
    card: Image, row: Rect, query: Query, frames: FrameSource, context: CardContext, gaps: list[float]
) -> None:
    info, last = frames.info, query.subject[-1]
    reach = round(LOOK_BACK * info.frame_rate)
    frame = _common_frame(query)
    pictures, scene = _crops_and_scene(row, info.width / info.height)
    marks = [Mark("", theme.SUBJECT, last.box, ghost=True)]
    for letter, colour, option in zip(OPTION_LETTERS, theme.OPTION_COLOURS, query.options, strict=False):
        now = next((anchor for anchor in option if anchor.frame == frame), None)
        path = tuple(anchor for anchor in option if anchor.frame <= option[0].frame + reach)
        marks.append(Mark(letter, colour, (now or option[0]).box, path, ghost=now is None))
    others = parts.other_paths(context, query, frame, frame + reach)
    place = parts.draw_scene(card, scene, frames, frame, marks, others)
    firsts = [option[0].frame for option in query.options]
    same = len(set(firsts)) == 1
    _row_header(
        card,
        row,
        "After",
        f"frame {frame}, {parts.signed_seconds(gaps[0], 2)}" if same else f"frames {min(firsts)}–{max(firsts)}",
        place,
        f"frame {frame}",
    )

    aspect = crop_aspect([option[0].box for option in query.options], CLOSE)
    tiles = _tiles(len(query.options), aspect, pictures, caption=0 if same else theme.CAPTION_HEIGHT)
    for index, (option, (main, *small)) in enumerate(zip(query.options, tiles, strict=True)):
        colour, first = theme.OPTION_COLOURS[index], option[0]
        parts.draw_crop(card, main, frames, first.frame, first.box, CLOSE, colour)
        parts.draw_border(card, main, colour)
        draw_chip(card, OPTION_LETTERS[index], (main.x, main.y), fill=colour, size=26, height=36)
        for later, place in zip(_later(option, len(small), LOOK_ON * info.frame_rate), small, strict=False):
            parts.draw_crop(card, place, frames, later.frame, later.box, CLOSE, colour, thickness=1)
        if not same:
            parts.draw_caption(card, parts.signed_seconds(gaps[index]), main, theme.TEXT)


def _crops_and_scene(row: Rect, aspect: float) -> tuple[Rect, Rect]:
    """Below the row's header: the crops' area at the left, the whole frame's at the right."""
    body = row.cut_top(ROW_HEADER)[1]
    width = min(round(body.h * aspect), round(body.w * 0.36))
    pictures, scene = body.cut_left(body.w - width - 2 * theme.GAP, 2 * theme.GAP)
    return pictures, scene


def _row_header(card: Image, row: Rect, name: str, note: str, scene: Rect, scene_note: str) -> None:
    y = row.y + ROW_HEADER // 2 - 3
    width = draw_text(card, name, (row.x, y), size=theme.TEXT_SIZE, bold=True)
    draw_text(card, note, (row.x + width + 14, y), colour=theme.MUTED)
    draw_text(card, scene_note, (scene.x, y), colour=theme.MUTED)


def _tiles(count: int, aspect: float, area: Rect, caption: int) -> list[list[Rect]]:
    """For each option a large place, and smaller ones for what comes later.

    They lie side by side, the smaller ones as large as costs the large one nothing; or, where that makes the large
    one larger, one below the other. The caption goes below the large one.
    """
    extra = 2 if count <= 2 else 1
    for share in (1.0, 0.75, 0.5):
        beside = grid(count, (1 + extra * share) * aspect, area, 2 * theme.GAP, caption)
        if beside[0].h + caption > 0.95 * area.h:
            break
    stacked = grid(count, aspect / 1.5, area, theme.GAP, caption + _NEAR_GAP)
    if stacked[0].w > beside[0].h * aspect:
        halves = [cell.cut_top(round(cell.h / 1.5), caption + _NEAR_GAP) for cell in stacked]
        return [[main, rest._replace(h=main.h // 2).fit(aspect)] for main, rest in halves]
    tiles = []
    for cell in beside:
        main, rest = cell.cut_left(round(cell.h * aspect), _NEAR_GAP)
        smaller = grid(extra, aspect, rest, _NEAR_GAP)
        tiles.append([main, *smaller])
    return tiles


def _gaps(query: Query, frames: FrameSource) -> list[float]:
    """Seconds from the subject's last box to each option's first."""
    last = query.subject[-1].frame
    return [(option[0].frame - last) / frames.info.frame_rate for option in query.options]


def _span(gaps: list[float]) -> str:
    low, high = f"{min(gaps):.1f}", f"{max(gaps):.1f}"
    if low == high:
        return f"{min(gaps):.2f} s" if min(gaps) < 1 else f"{low} s"
    return f"{low}–{high} s"


def _common_frame(query: Query) -> int:
    """Among the options' first frames the one that shows most options; the earliest of them."""
    present = Counter(anchor.frame for option in query.options for anchor in option)
    firsts = sorted({option[0].frame for option in query.options})
    return max(firsts, key=lambda frame: present[frame])


def _later(option: tuple[Anchor, ...], count: int, step: float) -> list[Anchor]:
    """Up to ``count`` further boxes of the option, each about ``step`` frames after the one before."""
    frames = np.array([anchor.frame - option[0].frame for anchor in option])
    rows = {int(np.argmin(np.abs(frames - step * turn))) for turn in range(1, count + 1)}
    return [option[row] for row in sorted(rows - {0})]
