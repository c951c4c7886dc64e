"""Cards that ask whether a single box shows a valid object."""

from __future__ import annotations

from cvat_bridge.cards import parts, theme
from cvat_bridge.cards.crops import CLOSE, WIDE, crop_aspect
from cvat_bridge.cards.layout import Rect, grid
from cvat_bridge.cards.parts import CONTENT, TRAIL, Mark
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource
from spam_model.values import Box, Query, Topic

STEPS = 3  # pictures before, and as many after
STEP = 0.2  # seconds between them


def box_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """The box large; the same place, or the track that it is doubtful in, earlier and later; and the whole frame."""
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
    beside = _track_beside(query, frames, context)
    shown = beside or _same_place(query, frames)
    cells = grid(len(shown), crop_aspect([box for _, box in shown], CLOSE), strip, theme.GAP, theme.CAPTION_HEIGHT)
    for (frame, box), cell in zip(shown, cells, strict=True):
        is_asked = frame == anchor.frame
        colour = theme.SUBJECT if is_asked else theme.OTHERS if beside else None
        parts.draw_crop(card, cell, frames, frame, box, CLOSE, colour, thickness=2 if is_asked else 1)
        caption = str(frame) if is_asked else parts.signed_seconds((frame - anchor.frame) / info.frame_rate)
        parts.draw_caption(card, caption, cell, theme.TEXT if is_asked else theme.MUTED)
    around = round(TRAIL * info.frame_rate)
    others = parts.other_paths(context, query, anchor.frame - around, anchor.frame + around)
    below = rest.below(cells, theme.CAPTION_HEIGHT, theme.GAP)
    parts.draw_scene(card, below, frames, anchor.frame, [Mark("?", theme.SUBJECT, anchor.box)], others)
    return Card(card)


def _same_place(query: Query, frames: FrameSource) -> list[tuple[int, Box]]:
    """Frames, earlier and later, with the box where it is."""
    anchor, info = query.subject[0], frames.info
    step = _step(frames)
    wanted = (anchor.frame + step * offset for offset in range(-STEPS, STEPS + 1))
    return [(frame, anchor.box) for frame in wanted if 0 <= frame < info.frame_count]


def _track_beside(query: Query, frames: FrameSource, context: CardContext) -> list[tuple[int, Box]]:
    """The same of a doubtful box of a track, with the track's boxes; empty if it is in none, or alone there."""
    anchor = query.subject[0]
    if query.topic is not Topic.RUN:
        return []
    steps = [_step(frames) * turn for turn in range(1, STEPS + 1)]
    before, after = parts.around(context.track_of(anchor.candidate_id), anchor.frame, anchor.frame, steps)
    return [(a.frame, a.box) for a in (*before, anchor, *after)] if before or after else []


def _step(frames: FrameSource) -> int:
    return max(round(STEP * frames.info.frame_rate), 1)
