"""Where things lie on a card: rectangles of whole px, cut and divided."""

from __future__ import annotations

import math
from typing import NamedTuple


class Rect(NamedTuple):
    """x, y of the top left corner, width and height, in card px."""

    x: int
    y: int
    w: int
    h: int

    def cut_left(self, width: int, gap: int = 0) -> tuple[Rect, Rect]:
        """The left ``width`` px, and what lies right of them behind ``gap``."""
        return Rect(self.x, self.y, width, self.h), Rect(self.x + width + gap, self.y, self.w - width - gap, self.h)

    def cut_top(self, height: int, gap: int = 0) -> tuple[Rect, Rect]:
        """The upper ``height`` px, and what lies below them behind ``gap``."""
        return Rect(self.x, self.y, self.w, height), Rect(self.x, self.y + height + gap, self.w, self.h - height - gap)

    def fit(self, aspect: float) -> Rect:
        """The largest rectangle of this width over height inside, at the top left."""
        width = min(self.w, round(self.h * aspect))
        return Rect(self.x, self.y, max(width, 1), max(min(self.h, round(width / aspect)), 1))

    def below(self, cells: list[Rect], caption: int, gap: int) -> Rect:
        """What is left of it below cells inside it and their captions."""
        return self.cut_top(cells[-1].y + cells[-1].h + caption - self.y, gap)[1]

    def right_of(self, cells: list[Rect], gap: int) -> Rect:
        """What is left of it at the right of cells inside it."""
        return self.cut_left(max(cell.x + cell.w for cell in cells) - self.x, gap)[1]


def grid(count: int, aspect: float, area: Rect, gap: int, caption: int = 0) -> list[Rect]:
    """``count`` equal cells of ``aspect`` (width over height), as large as they can be in ``area``, row by row.

    Below each cell ``caption`` px stay free. The number of rows is the one that gives the largest cells.
    """

    def cell_width(rows: int) -> float:
        columns = math.ceil(count / rows)
        by_width = (area.w - gap * (columns - 1)) / columns
        by_height = ((area.h - gap * (rows - 1)) / rows - caption) * aspect
        return min(by_width, by_height)

    rows = max(range(1, count + 1), key=cell_width)
    columns = math.ceil(count / rows)
    width = max(int(cell_width(rows)), 1)
    height = max(int(width / aspect), 1)
    return [
        Rect(
            area.x + (index % columns) * (width + gap),
            area.y + (index // columns) * (height + caption + gap),
            width,
            height,
        )
        for index in range(count)
    ]
