"""Cards on which a person shows where an object is in the middle of a gap of its track, or was filled in."""

from __future__ import annotations

from cvat_bridge.cards import parts, theme
from cvat_bridge.cards.crops import CLOSE, card_to_frame, crop_aspect, window_around
from cvat_bridge.cards.layout import Rect, grid
from cvat_bridge.cards.parts import CONTENT, Mark
from cvat_bridge.cards.values import Card, CardContext
from spam_model.data.clip import FrameSource, Image
from spam_model.values import Anchor, Box, ClipInfo, Query

STEP = 0.6  # seconds from the end of the gap to a second picture: right beside a gap, people are often covered
SIDE_WIDTH = 400  # px at the most
IN_A_ROW = 2  # pictures of whom to look for, before as well as after
LEAST_AROUND, MOST_AROUND = 0.8, 3.0  # margins of the enlarged region around the proposed box


def place_card(query: Query, frames: FrameSource, context: CardContext) -> Card:
    """Whom to look for at the left; at the right the frame around the expected place, for a CVAT rectangle.

    The proposed rectangle is returned, not drawn. Broken outlines show where the track breaks off and goes on.
    """
    assert query.between
    before, after = query.between
    proposal, info = query.subject[0], frames.info
    card = parts.blank_card()
    name = parts.class_name(query, frames)
    parts.draw_question(card, f"Where is this {name} here?")
    parts.draw_hint(card, f"Drag the rectangle; delete it if the {name} cannot be seen.")
    parts.draw_note(card, f"frame {proposal.frame}")

    region = CONTENT.right_of(_draw_whom(card, query, frames, context), 2 * theme.GAP)
    window = _region(query, region.w / region.h, info)
    marks = [
        Mark(word, theme.OTHERS, anchor.box, ghost=True) for word, anchor in (("before", before), ("after", after))
    ]
    parts.draw_scene(card, region, frames, proposal.frame, marks, window=window)
    to_frame = card_to_frame(window, region)
    return Card(card, rectangle=to_frame.inverse().box(proposal.box), to_frame=to_frame)


def _draw_whom(card: Image, query: Query, frames: FrameSource, context: CardContext) -> list[Rect]:
    """The track before the gap in the upper half, after it in the lower one, at the left. Returns the places."""
    assert query.between
    before, after = query.between
    step = max(round(STEP * frames.info.frame_rate), 1)
    earlier, later = parts.around(context.track_of(before.candidate_id), before.frame, after.frame, [step])
    rows = {"Before": [*earlier, before], "After": [after, *later]}
    aspect = crop_aspect([anchor.box for row in rows.values() for anchor in row], CLOSE, highest=1.0)
    used: list[Rect] = []
    halves = CONTENT.cut_top((CONTENT.h - theme.GAP) // 2, theme.GAP)
    for half, (heading, anchors) in zip(halves, rows.items(), strict=True):
        parts.draw_heading(card, heading, half)
        pictures = half.cut_top(parts.HEADING_HEIGHT)[1]._replace(w=SIDE_WIDTH)
        cells = grid(IN_A_ROW, aspect, pictures, theme.GAP, theme.CAPTION_HEIGHT)
        for anchor, cell in zip(anchors, cells, strict=False):
            parts.draw_crop(card, cell, frames, anchor.frame, anchor.box, CLOSE, theme.SUBJECT)
            seconds = (anchor.frame - query.subject[0].frame) / frames.info.frame_rate
            parts.draw_caption(card, parts.signed_seconds(seconds), cell)
        used += cells
    return used


def _region(query: Query, aspect: float, info: ClipInfo) -> Box:
    """Both ends of the gap and what lies between, but neither too close to the proposed box nor too far from it."""
    assert query.between
    ends: list[Anchor] = [*query.between, *query.subject]
    box = query.subject[0].box
    wide = parts.close_up([anchor.box for anchor in ends], aspect, info)
    least, most = (
        window_around(box, aspect, margin, info.width, info.height) for margin in (LEAST_AROUND, MOST_AROUND)
    )
    return sorted((least, wide, most), key=lambda window: window[2] - window[0])[1]
