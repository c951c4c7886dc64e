"""Text, chips, boxes and lines on BGR images, in place.

Text is set with Pillow in DejaVu Sans, which matplotlib ships, since OpenCV's own letters are hard to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from cvat_bridge.cards.layout import Rect
from cvat_bridge.cards.theme import DARK, SMALL_SIZE, TEXT, TEXT_SIZE, Colour
from spam_model.data.clip import Image
from spam_model.values import Box


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)


def text_width(text: str, size: int = SMALL_SIZE, bold: bool = False) -> int:
    """Px that the text takes."""
    return int(np.ceil(_font(size, bold).getlength(text)))


def draw_text(
    image: Image,
    text: str,
    at: tuple[int, int],
    *,
    size: int = SMALL_SIZE,
    colour: Colour = TEXT,
    bold: bool = False,
    anchor: str = "lm",
) -> int:
    """Sets text at a point; ``anchor`` as in Pillow (l, m, r and t, m, s). Returns the px it takes."""
    font = _font(size, bold)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text, anchor=anchor))
    mask = PilImage.new("L", (max(right - left, 1), max(bottom - top, 1)))
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font, anchor=anchor)
    _blend(image, np.asarray(mask), (at[0] + left, at[1] + top), colour)
    return text_width(text, size, bold)


def draw_chip(
    image: Image, text: str, at: tuple[int, int], *, fill: Colour, size: int = TEXT_SIZE, height: int = 30
) -> Rect:
    """A filled, rounded label with its top left corner at ``at``; returns where it lies."""
    rect = Rect(at[0], at[1], chip_width(text, size, height), height)
    _blend(image, _rounded(rect.w, rect.h), (rect.x, rect.y), fill)
    centre = (rect.x + rect.w // 2, rect.y + rect.h // 2)
    draw_text(image, text, centre, size=size, bold=True, colour=_ink_on(fill), anchor="mm")
    return rect


def chip_width(text: str, size: int = TEXT_SIZE, height: int = 30) -> int:
    """Px across of the chip that ``draw_chip`` draws."""
    return max(text_width(text, size, bold=True) + 12, height)


def draw_box(image: Image, box: Box, colour: Colour, thickness: int = 2) -> None:
    """A box with a dark casing, so that it shows on any picture; may reach beyond the image."""
    first, last = _corners(box)
    cv2.rectangle(image, first, last, DARK, thickness + 2)
    cv2.rectangle(image, first, last, colour, thickness)


def draw_dashed_box(image: Image, box: Box, colour: Colour, dash: int = 6) -> None:
    """A thin broken outline: a place rather than an object."""
    (x1, y1), (x2, y2) = _corners(box)
    for x in range(x1, x2, 2 * dash):
        end = min(x + dash, x2)
        cv2.line(image, (x, y1), (end, y1), colour, 1)
        cv2.line(image, (x, y2), (end, y2), colour, 1)
    for y in range(y1, y2, 2 * dash):
        end = min(y + dash, y2)
        cv2.line(image, (x1, y), (x1, end), colour, 1)
        cv2.line(image, (x2, y), (x2, end), colour, 1)


def draw_path(image: Image, points: np.ndarray, colour: Colour) -> None:
    """A thin line with a dark casing through points [K, 2] in px."""
    if len(points) > 1:
        cv2.polylines(image, [_fixed_point(points)], False, DARK, 3, cv2.LINE_AA, shift=4)
        cv2.polylines(image, [_fixed_point(points)], False, colour, 1, cv2.LINE_AA, shift=4)


def draw_faint_paths(image: Image, paths: Sequence[np.ndarray], colour: Colour, opacity: float = 0.55) -> None:
    """Thin see-through lines, each through points [K, 2] in px."""
    drawn = image.copy()
    cv2.polylines(drawn, [_fixed_point(path) for path in paths], False, colour, 1, cv2.LINE_AA, shift=4)
    cv2.addWeighted(drawn, opacity, image, 1 - opacity, 0, dst=image)


def place_chips(
    image: Image, chips: Sequence[tuple[str, Box, Colour]], *, size: int = SMALL_SIZE, height: int = 26
) -> None:
    """Labels boxes (x1 y1 x2 y2, px of ``image``) by chips at their corners, inside the image and off each other."""
    taken: list[Rect] = []
    for text, box, colour in chips:
        width = chip_width(text, size, height)
        (x1, y1), (x2, y2) = _corners(box)
        corners = [(x1, y1 - height), (x2 - width, y1 - height), (x1, y2), (x2 - width, y2), (x1, y1), (x2 - width, y1)]
        beside = [(x2, y1), (x1 - width, y1), (x2, y1 + height), (x1 - width, y1 + height)]
        spots = [_inside(image, x, y, width, height) for x, y in (*corners, *beside)]
        spot = next((rect for rect in spots if not any(_meet(rect, other) for other in taken)), spots[0])
        taken.append(draw_chip(image, text, (spot.x, spot.y), fill=colour, size=size, height=height))


def _corners(box: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    x1, y1, x2, y2 = (round(min(max(edge, -4000.0), 8000.0)) for edge in box)
    return (x1, y1), (x2, y2)


def _fixed_point(points: np.ndarray) -> np.ndarray:
    """[K, 2] px -> [K, 1, 2] int32 with four fractional bits."""
    fixed: np.ndarray = np.round(np.clip(points, -4000, 8000) * 16).astype(np.int32)[:, None]
    return fixed


def _inside(image: Image, x: int, y: int, width: int, height: int) -> Rect:
    return Rect(max(min(x, image.shape[1] - width), 0), max(min(y, image.shape[0] - height), 0), width, height)


def _meet(a: Rect, b: Rect) -> bool:
    return a.x < b.x + b.w and b.x < a.x + a.w and a.y < b.y + b.h and b.y < a.y + a.h


def _ink_on(fill: Colour) -> Colour:
    blue, green, red = fill
    return DARK if 0.114 * blue + 0.587 * green + 0.299 * red > 110 else TEXT


@cache
def _rounded(width: int, height: int, radius: int = 5, fine: int = 4) -> np.ndarray:
    mask = PilImage.new("L", (width * fine, height * fine))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * fine - 1, height * fine - 1), radius * fine, fill=255)
    return np.asarray(mask.resize((width, height), PilImage.Resampling.BOX))


def _blend(image: Image, mask: np.ndarray, at: tuple[int, int], colour: Colour) -> None:
    """Lays ``colour`` over the image where ``mask`` [h, w] uint8 says so; what falls outside is left out."""
    x, y = at
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + mask.shape[1], image.shape[1]), min(y + mask.shape[0], image.shape[0])
    if x2 <= x1 or y2 <= y1:
        return
    alpha = mask[y1 - y : y2 - y, x1 - x : x2 - x, None].astype(np.float32) / 255
    part = image[y1:y2, x1:x2]
    image[y1:y2, x1:x2] = np.round(part + (np.asarray(colour, np.float32) - part) * alpha).astype(np.uint8)
