"""Cards on which a person drags a rectangle: one enlarged region of a frame, and the map back to the frame."""

from __future__ import annotations

from cvat_bridge.cards import parts
from cvat_bridge.cards.crops import WIDE, card_to_frame, render, window_around
from cvat_bridge.cards.parts import CONTENT
from cvat_bridge.cards.values import Card
from spam_model.data.clip import FrameSource
from spam_model.values import Query


def localization_card(query: Query, frames: FrameSource) -> Card:
    """The proposed rectangle is returned, not drawn: on the card it is a CVAT rectangle."""
    anchor, info = query.subject[0], frames.info
    card = parts.blank_card()
    parts.draw_question(card, f"Drag the rectangle until it fits the {parts.class_name(query, frames)}")
    parts.draw_hint(card, "It fits already? Leave it. Nothing there? Delete it.")
    parts.draw_note(card, f"frame {anchor.frame}")
    window = window_around(anchor.box, CONTENT.w / CONTENT.h, WIDE, info.width, info.height)
    to_frame = card_to_frame(window, CONTENT)
    picture = render(
        frames.frame(anchor.frame), card_to_frame(window, CONTENT._replace(x=0, y=0)), CONTENT.w, CONTENT.h
    )
    card[CONTENT.y : CONTENT.y + CONTENT.h, CONTENT.x : CONTENT.x + CONTENT.w] = picture
    return Card(card, rectangle=to_frame.inverse().box(anchor.box), to_frame=to_frame)
