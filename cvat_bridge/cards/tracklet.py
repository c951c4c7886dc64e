"""Cards that ask whether a whole tracklet is one valid object: pushed, dropped, or chained from rejects."""

from __future__ import annotations

from cvat_bridge.cards import parts, theme
from cvat_bridge.cards.crops import CLOSE, crop_aspect
from cvat_bridge.cards.layout import grid
from cvat_bridge.cards.parts import CONTENT
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource
from spam_model.values import Query


def tracklet_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """Crops all along its way, three whole frames below."""
    card = parts.blank_card()
    parts.draw_question(card, f"Is this one {parts.class_name(query, frames)}, in all pictures?")
    parts.draw_keys(card, query)
    parts.draw_note(card, parts.extent(query, frames))
    shown = query.shown
    strip = CONTENT.cut_top(round(CONTENT.h * 0.56))[0]
    aspect = crop_aspect([anchor.box for anchor in shown], CLOSE)
    cells = grid(len(shown), aspect, strip, theme.GAP, theme.CAPTION_HEIGHT)
    for anchor, cell in zip(shown, cells, strict=True):
        parts.draw_crop(card, cell, frames, anchor.frame, anchor.box, CLOSE, theme.SUBJECT)
        parts.draw_caption(card, str(anchor.frame), cell)
    parts.draw_way(card, CONTENT.below(cells, theme.CAPTION_HEIGHT, theme.GAP), query, frames, context)
    return Card(card)
