"""Parts of a frame, enlarged: which part, and its picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from cvat_bridge.cards.layout import Rect
from cvat_bridge.cards.theme import VOID
from cvat_bridge.cards.values import LinearMap
from spam_model.data.clip import Image
from spam_model.values import Box

CLOSE = 0.22  # margin around a box over the root of its area, for crops to compare
WIDE = 0.55  # the same, for one crop with its surroundings
_RIM = 0.04  # of a crop's side, at the least, between a box and its edge
MIN_SIDE = 56.0  # px of the frame: a tiny box is shown with what is around it, not as a blur


def crop_aspect(boxes: Sequence[Box], margin: float, lowest: float = 0.5, highest: float = 2.0) -> float:
    """Width over height that suits most of the boxes with their margin."""
    sizes = np.array([_padded_size(box, margin) for box in boxes])  # [K, 2]
    return float(np.clip(np.median(sizes[:, 0] / sizes[:, 1]), lowest, highest))


def window_around(box: Box, aspect: float, margin: float, frame_width: int, frame_height: int) -> Box:
    """The part of the frame that shows ``box`` with ``margin`` around it, at ``aspect`` (width over height).

    It is moved into the frame where it can be, yet always holds the whole box, which may reach beyond the frame.
    """
    width, height = _padded_size(box, margin)
    width = min(width, max(frame_width, box[2] - box[0]))
    height = min(height, max(frame_height, box[3] - box[1]))
    width, height = max(width, height * aspect), max(height, width / aspect)
    x = _slide((box[0] + box[2] - width) / 2, width, frame_width, box[0], box[2])
    y = _slide((box[1] + box[3] - height) / 2, height, frame_height, box[1], box[3])
    return x, y, x + width, y + height


def card_to_frame(window: Box, place: Rect) -> LinearMap:
    """Card px -> frame px for ``window`` (frame px) shown at ``place`` (card px) of the same aspect."""
    scale = (window[2] - window[0]) / place.w
    return LinearMap((window[0] - scale * place.x, window[1] - scale * place.y), scale)


def render(frame: Image, to_frame: LinearMap, width: int, height: int) -> Image:
    """[height, width, 3]: the frame seen through ``to_frame``; beyond its border it is dark.

    Cubic where it is enlarged; where it is reduced, the frame is first averaged down, so that nothing aliases.
    """
    step = to_frame.scale
    if step > 1:
        small = cv2.resize(
            frame,
            (max(round(frame.shape[1] / step), 1), max(round(frame.shape[0] / step), 1)),
            interpolation=cv2.INTER_AREA,
        )
    else:
        small = frame
    ratio_x, ratio_y = small.shape[1] / frame.shape[1], small.shape[0] / frame.shape[0]
    matrix = np.array(  # px centres: small + 0.5 = ratio · (offset + step · (picture + 0.5))
        [
            [step * ratio_x, 0, ratio_x * (to_frame.offset[0] + step / 2) - 0.5],
            [0, step * ratio_y, ratio_y * (to_frame.offset[1] + step / 2) - 0.5],
        ]
    )
    picture: Image = cv2.warpAffine(
        small,
        matrix,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=VOID,
    )
    return picture


def _padded_size(box: Box, margin: float) -> tuple[float, float]:
    width, height = box[2] - box[0], box[3] - box[1]
    around = 2 * margin * math.sqrt(width * height)
    return max(width + around, MIN_SIDE), max(height + around, MIN_SIDE)


def _slide(start: float, length: float, limit: int, first: float, last: float) -> float:
    """Moves [start, start + length] into [0, limit] as far as it keeps [first, last] well inside."""
    inside = (limit - length) / 2 if length > limit else min(max(start, 0.0), limit - length)
    rim = min(_RIM * length, (length - (last - first)) / 2)
    return min(max(inside, last + rim - length), first - rim)
