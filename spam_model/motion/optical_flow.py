"""Camera motion from the pixels: what the background does together between two frames, the camera did.

Corners outside of the boxes are followed by pyramidal Lucas-Kanade flow, forth and back (Shi and Tomasi, "Good features
to track", 1994; Bouguet's pyramids). A similarity (shift, turn and zoom) is fitted to them by RANSAC; its shift of the
middle of the image is the camera's step. Unlike ``camera.camera_path`` this needs no boxes that agree, but frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from spam_model.data.clip import Image
from spam_model.values import Candidates
from spam_model.values.candidates import FloatArray

MAX_SIDE = 640  # px, of the pictures that are followed
MIN_SCORE = 0.3  # of boxes that are left out
MARGIN = 0.1  # of a box's size, left out around it
MIN_CORNERS = 30
MAX_CORNERS = 300
MIN_AGREEING = 0.3  # share of the corners that the fitted motion has to explain
_QUALITY, _SPACING = 0.01, 8.0  # least strength relative to the strongest corner; least px between two
_WINDOW = (21, 21)  # px
_LEVELS = 3
_BACK_ERROR = 1.0  # px, between a corner and where the flow back leads from where the flow forth led
_AGREEMENT = 1.0  # px, between a corner and where the fitted motion puts it
_CELLS = 4  # on each axis; corners are taken from each, so that one textured wall does not have all the votes

Grey = NDArray[np.uint8]  # [h, w]


def flow_path(frames: Iterable[tuple[int, Image]], candidates: Candidates) -> FloatArray:
    """Cumulative translation of the image, [F, 2] px, 0 at frame 0, as ``camera.camera_path`` gives it.

    Args:
        frames: (number, [H, W, 3] BGR) of all frames of the clip, in order, one at a time.
        candidates: of the clip; what may move by itself.
    """
    info = candidates.info
    scale = min(1.0, MAX_SIDE / max(info.width, info.height))
    start = np.searchsorted(candidates.frame, np.arange(info.frame_count + 1))
    steps = np.zeros((info.frame_count, 2))
    last: Grey | None = None
    for number, image in frames:
        now = _reduced(image, scale)
        if last is not None:
            of_last = slice(start[number - 1], start[number])
            box = candidates.box[of_last][candidates.score[of_last] >= MIN_SCORE]
            steps[number] = camera_step(last, now, box * scale) / scale
        last = now
    return np.asarray(np.cumsum(steps, axis=0))


def camera_step(last: Grey, now: Grey, box: FloatArray) -> FloatArray:
    """Shift of the middle of the image from one grey frame to the next, [2] px.

    Zero where there are too few corners, or too few of them move together: a blank frame, a cut.

    Args:
        last: [h, w] uint8; now: the next frame.
        box: [n, 4] x1 y1 x2 y2 in px of ``last``, of what may move by itself.
    """
    corner = _corners(last, box)
    if len(corner) < MIN_CORNERS:
        corner = _corners(last, box[:0])
    if len(corner) < MIN_CORNERS:
        return np.zeros(2)
    forth, seen, _ = cv2.calcOpticalFlowPyrLK(last, now, corner, None, winSize=_WINDOW, maxLevel=_LEVELS)
    back, seen_back, _ = cv2.calcOpticalFlowPyrLK(now, last, forth, None, winSize=_WINDOW, maxLevel=_LEVELS)
    good = (seen[:, 0] & seen_back[:, 0]).astype(bool)
    good &= np.linalg.norm(back - corner, axis=1) < _BACK_ERROR
    if good.sum() < MIN_CORNERS / 2:
        return np.zeros(2)
    motion, agreeing = cv2.estimateAffinePartial2D(
        corner[good], forth[good], method=cv2.RANSAC, ransacReprojThreshold=_AGREEMENT
    )
    if motion is None or agreeing.sum() < MIN_AGREEING * len(corner):
        return np.zeros(2)
    middle = np.array([last.shape[1] / 2, last.shape[0] / 2])
    return np.asarray(motion[:, :2] @ middle + motion[:, 2] - middle)


def _reduced(image: Image, scale: float) -> Grey:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if scale < 1:
        height, width = grey.shape
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def _corners(grey: Grey, box: FloatArray) -> NDArray[np.float32]:
    """Corners outside of the boxes, as many from each part of the picture, [K, 2] px."""
    height, width = grey.shape
    free = np.full((height, width), 255, np.uint8)
    margin = MARGIN * (box[:, 2:] - box[:, :2])
    low = np.clip(np.floor(box[:, :2] - margin), 0, [width, height]).astype(int)
    high = np.clip(np.ceil(box[:, 2:] + margin), 0, [width, height]).astype(int)
    for (x1, y1), (x2, y2) in zip(low, high, strict=True):
        free[y1:y2, x1:x2] = 0
    found = [np.zeros((0, 2), np.float32)]
    columns, rows = (np.linspace(0, side, _CELLS + 1).astype(int).tolist() for side in (width, height))
    for (top, bottom), (left, right) in itertools.product(itertools.pairwise(rows), itertools.pairwise(columns)):
        part = np.s_[top:bottom, left:right]
        corner = cv2.goodFeaturesToTrack(grey[part], MAX_CORNERS // _CELLS**2, _QUALITY, _SPACING, mask=free[part])
        if corner is not None:
            found.append(corner[:, 0] + np.array([left, top], np.float32))
    return np.concatenate(found)
