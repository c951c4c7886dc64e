"""Cards that ask whether a doubtful stretch of a track shows an object; the track beside it is there to compare."""

from __future__ import annotations

from cvat_bridge.cards import parts, theme
from cvat_bridge.cards.crops import CLOSE, crop_aspect
from cvat_bridge.cards.layout import grid
from cvat_bridge.cards.parts import CONTENT
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource
from spam_model.values import Query

STEPS = (0.2, 0.8)  # seconds before and after the stretch
FEW = 4  # boxes, beside which there is room for both steps


def run_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """The stretch with coloured boxes, what comes before and after it in the track with thin grey ones."""
    info, shown = frames.info, query.shown
    card = parts.blank_card()
    parts.draw_question(card, f"Does every orange box show one {parts.class_name(query, frames)}?")
    parts.draw_keys(card, query)
    parts.draw_note(card, parts.extent(query, frames))
    steps = [max(round(step * info.frame_rate), 1) for step in (STEPS if len(shown) <= FEW else STEPS[:1])]
    track = context.track_of(shown[0].candidate_id)
    before, after = parts.around(track, query.subject[0].frame, query.subject[-1].frame, steps)
    strip = [*before, *shown, *after]
    aspect = crop_aspect([anchor.box for anchor in strip], CLOSE)
    cells = grid(len(strip), aspect, CONTENT.cut_top(round(CONTENT.h * 0.56))[0], theme.GAP, theme.CAPTION_HEIGHT)
    for anchor, cell in zip(strip, cells, strict=True):
        asked = anchor in shown
        colour = theme.SUBJECT if asked else theme.OTHERS
        parts.draw_crop(card, cell, frames, anchor.frame, anchor.box, CLOSE, colour, thickness=2 if asked else 1)
        if asked:
            parts.draw_border(card, cell, theme.SUBJECT)
        when = str(anchor.frame) if asked else "before" if anchor in before else "after"
        parts.draw_caption(card, when, cell, theme.TEXT if asked else theme.MUTED)
    parts.draw_way(card, CONTENT.below(cells, theme.CAPTION_HEIGHT, theme.GAP), query, frames, context)
    return Card(card)
