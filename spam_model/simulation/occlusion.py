"""Who hides whom: painter's order over a grid of points in every box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.values.candidates import BoolArray, FloatArray, IntArray

COLUMNS, ROWS = 4, 8
BODY = 0.8  # a person fills this share of the width of its box


@dataclass(frozen=True)
class Sight:
    """What is seen of each person.

    Attributes:
        visibility: [P, F] in [0, 1], share of the box that is seen, inside the image and before nobody.
        seen_box: [P, F, 4] px, around the points that are seen; the whole box where none is.
        occluder: [P, F] int64, who hides most of the person, -1 for nobody (or a pillar).
    """

    visibility: FloatArray
    seen_box: FloatArray
    occluder: IntArray


def look(box: FloatArray, depth: FloatArray, present: BoolArray, people: int, width: int, height: int) -> Sight:
    """Visibility of the first ``people`` of the objects; the others (pillars) only hide.

    Args:
        box: [Q, F, 4] px; depth: [Q, F] m; present: [Q, F], in the image or at its border.
    """
    frames = box.shape[1]
    visibility = np.zeros((people, frames))
    seen_box = box[:people].copy()
    occluder = np.full((people, frames), -1, np.int64)
    x = (np.arange(COLUMNS) + 0.5) / COLUMNS
    y = (np.arange(ROWS) + 0.5) / ROWS
    grid = np.stack([np.tile(x, ROWS), np.repeat(y, COLUMNS)], axis=1)  # [K, 2]
    for frame in range(frames):
        there = np.flatnonzero(present[:, frame])
        target = there[there < people]
        if len(target) == 0:
            continue
        now, away = box[there, frame], depth[there, frame]
        size = now[:, 2:] - now[:, :2]
        inset = size[:, 0] * (1 - BODY) / 2
        count = len(target)  # people come first in `there`
        point = now[:count, None, :2] + grid * size[:count, None, :]  # [T, K, 2]
        px, py = point[..., 0][:, None], point[..., 1][:, None]  # [T, 1, K]
        covers = np.asarray(
            (px > (now[:, 0] + inset)[:, None])
            & (px < (now[:, 2] - inset)[:, None])
            & (py > now[:, 1, None])
            & (py < now[:, 3, None])
            & (away < away[:count, None])[..., None]
        )  # [T, Q', K]
        inside = ((point >= 0) & (point <= (width, height))).all(axis=2)
        seen = ~covers.any(axis=1) & inside  # [T, K]
        visibility[target, frame] = seen.mean(axis=1)
        hidden = covers[:, :count].sum(axis=2)  # [T, T]
        occluder[target, frame] = np.where(hidden.max(axis=1) > 0, target[hidden.argmax(axis=1)], -1)
        seen_box[target, frame] = _extent(now[:count], seen)
    return Sight(visibility, seen_box, occluder)


def _extent(box: FloatArray, seen: BoolArray) -> FloatArray:
    """Box [T, 4] cut to the cells [T, K] that are seen."""
    cells = seen.reshape(len(box), ROWS, COLUMNS)
    rows, columns = np.asarray(cells.any(axis=2)), np.asarray(cells.any(axis=1))
    size = box[:, 2:] - box[:, :2]
    low = np.stack([columns.argmax(axis=1) / COLUMNS, rows.argmax(axis=1) / ROWS], axis=1)
    high = np.stack([1 - columns[:, ::-1].argmax(axis=1) / COLUMNS, 1 - rows[:, ::-1].argmax(axis=1) / ROWS], axis=1)
    cut = np.concatenate([box[:, :2] + low * size, box[:, :2] + high * size], axis=1)
    return np.where(seen.any(axis=1, keepdims=True), cut, box)
