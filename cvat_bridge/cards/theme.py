"""Sizes and colours of question cards: dark and neutral, so that the pictures are what the eye meets first.

The colours that carry meaning are those of Okabe and Ito, "Color Universal Design" (2008), which stay apart for
colour-blind readers; a letter always stands beside a colour.
"""

from __future__ import annotations

Colour = tuple[int, int, int]  # BGR


def bgr(code: str) -> Colour:
    """``#rrggbb`` -> (b, g, r)."""
    return int(code[5:7], 16), int(code[3:5], 16), int(code[1:3], 16)


CARD_WIDTH, CARD_HEIGHT = 1280, 720
BADGE_WIDTH, BADGE_HEIGHT = 120, 44  # top left, px: CVAT lays the tag's badge there
MARGIN = 24
GAP = 12
CONTENT_TOP = 108  # below the question and its keys

TITLE_SIZE = 30
TEXT_SIZE = 22
SMALL_SIZE = 20  # the smallest text that is legible on CVAT's canvas
CAPTION_HEIGHT = 28

BACKGROUND = bgr("#26272b")
VOID = bgr("#18191c")  # beyond the frame's border
TEXT = bgr("#f4f4f5")
MUTED = bgr("#b4b8bf")
OTHERS = bgr("#d7dade")
DARK = bgr("#101113")

SUBJECT = bgr("#d55e00")  # vermillion
OPTION_COLOURS = (
    bgr("#56b4e9"),  # sky blue
    bgr("#f0e442"),  # yellow
    bgr("#009e73"),  # bluish green
    bgr("#cc79a7"),  # reddish purple
    bgr("#e69f00"),  # orange
    bgr("#0072b2"),  # blue
    bgr("#ffffff"),  # instead of black, on a dark card
)
