"""From a question to the picture that asks it."""

from __future__ import annotations

from cvat_bridge.cards.association import association_card
from cvat_bridge.cards.detection import detection_card
from cvat_bridge.cards.localization import localization_card
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource
from spam_model.values import Query, QueryKind


def compose_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """One question as one picture of 1280×720 px, to be answered by one digit key (or by dragging a rectangle).

    Raises:
        VideoError: a frame that the question needs cannot be decoded.
    """
    if query.kind is QueryKind.DETECTION:
        return detection_card(query, frames, context)
    if query.kind is QueryKind.ASSOCIATION:
        return association_card(query, frames, context)
    return localization_card(query, frames)
