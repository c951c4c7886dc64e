"""Tracks drawn into the frames: one colour an identity, its number beside it."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from cvat_bridge.cards.drawing import draw_box, draw_dashed_box, draw_path, place_chips
from cvat_bridge.cards.parts import PATH_POINTS, evenly
from cvat_bridge.cards.theme import Colour
from spam_model.data.clip import FrameSource, Image
from spam_model.values import Box, Labels

TRAIL = 1.0  # seconds of the way that a track came


def track_colour(track: int) -> Colour:
    """The same bright colour for an identity everywhere; neighbouring numbers lie a golden angle apart."""
    red, green, blue = colorsys.hsv_to_rgb(track * 0.618034 % 1, 0.55 + 0.25 * (track % 2), 0.97)
    return round(255 * blue), round(255 * green), round(255 * red)


def overlay_frame(image: Image, labels: Labels, frame: int) -> Image:
    """A copy of ``image`` with the tracks of ``frame`` drawn: box, number and the way of the last second.

    ``image`` is that frame [H, W, 3], BGR, at any size; filled gaps are drawn as broken lines.
    """
    result = image.copy()
    zoom = np.array([image.shape[1] / labels.info.width, image.shape[0] / labels.info.height])
    size = max(round(image.shape[1] / 44), 11)
    first = frame - round(TRAIL * labels.info.frame_rate)
    chips: list[tuple[str, Box, Colour]] = []
    for row in np.flatnonzero(labels.frame == frame):
        track = int(labels.track[row])
        colour = track_colour(track)
        rows = labels.rows(track)
        boxes = labels.box[rows][(labels.frame[rows] >= first) & (labels.frame[rows] <= frame)]
        feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
        draw_path(result, np.array(evenly(list(feet), PATH_POINTS)) * zoom, colour)
        x1, y1, x2, y2 = (float(edge) for edge in labels.box[row] * np.tile(zoom, 2))
        if labels.occluded[row]:
            draw_dashed_box(result, (x1, y1, x2, y2), colour)
        else:
            draw_box(result, (x1, y1, x2, y2), colour, thickness=max(round(image.shape[1] / 320), 1))
        chips.append((str(track), (x1, y1, x2, y2), colour))
    place_chips(result, chips, size=size, height=round(1.3 * size))
    return result


def overlay_at(frames: FrameSource, labels: Labels, frame: int, width: int) -> Image:
    """Frame ``frame`` with its tracks, ``width`` px across."""
    info = frames.info
    height = max(round(width * info.height / info.width), 1)
    interpolation = cv2.INTER_AREA if width < info.width else cv2.INTER_CUBIC
    image: Image = cv2.resize(frames.frame(frame), (width, height), interpolation=interpolation)
    return overlay_frame(image, labels, frame)
