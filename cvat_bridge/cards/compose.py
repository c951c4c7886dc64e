"""From a question to the picture that asks it."""

from __future__ import annotations

from cvat_bridge.cards.association import association_card
from cvat_bridge.cards.box import box_card
from cvat_bridge.cards.localization import localization_card
from cvat_bridge.cards.occurrence import occurrence_card
from cvat_bridge.cards.place import place_card
from cvat_bridge.cards.run import run_card
from cvat_bridge.cards.tracklet import tracklet_card
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource
from spam_model.values import Query, QueryKind, Topic


def compose_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """One question as one picture of 1280×720 px, to be answered by one digit key (or by dragging a rectangle).

    Raises:
        VideoError: a frame that the question needs cannot be decoded.
    """
    if query.kind is QueryKind.LOCALIZATION:
        return place_card(query, frames, context) if query.between else localization_card(query, frames)
    if query.kind is QueryKind.ASSOCIATION:
        card = occurrence_card if query.topic is Topic.NEXT else association_card
    elif len(query.subject) == 1:
        card = box_card
    else:
        card = run_card if query.topic is Topic.RUN else tracklet_card
    return card(query, frames, context)
