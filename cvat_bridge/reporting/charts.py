"""Charts as SVG that lives in the page and takes its colours from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree as Tree

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator

from cvat_bridge.reporting.data import RoundSummary
from spam_model.values import Labels

TIMELINE_ROWS = 150  # of a crowd only the longest tracks have a row
TIMELINE_COLUMNS = 320
SHADES = 8


def effort_curve(points: Sequence[tuple[RoundSummary, float]]) -> str:
    """HOTA over effort, one dot a round."""
    width, height, left, right, top, bottom = 460, 300, 44, 24, 36, 52
    effort = np.array([100 * item.effort for item, _ in points])
    hota = np.array([value for _, value in points])
    x_ticks, y_ticks = (
        _ticks(0.0, max(float(effort.max()), 0.1)),
        _ticks(float(hota.min() - np.ptp(hota) / 8), float(hota.max())),
    )
    x = left + (effort - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (width - left - right)
    y = height - bottom - (hota - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (height - top - bottom)

    words = "; ".join(f"{e:.1f} % effort: HOTA {h:.1f}" for e, h in zip(effort, hota, strict=True))
    svg = _svg(width, height, f"HOTA over effort. {words}")
    for tick in y_ticks:
        at = height - bottom - (tick - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (height - top - bottom)
        _line(svg, left, at, width - right, at, "grid")
        _text(svg, left - 8, at + 4, f"{tick:g}", "tick end")
    for tick in x_ticks:
        at = left + (tick - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (width - left - right)
        _line(svg, at, height - bottom, at, height - bottom + 5, "axis")
        _text(svg, at, height - bottom + 20, f"{tick:g} %", "tick middle")
    _line(svg, left, height - bottom, width - right, height - bottom, "axis")
    _text(svg, (left + width - right) / 2, height - 8, "clicks, of labelling everything by hand", "name middle")
    _text(svg, 6, 16, "HOTA", "name")
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in zip(x, y, strict=True))
    Tree.SubElement(svg, "polyline", {"points": path, "class": "curve"})
    for (item, value), px, py in zip(points, x, y, strict=True):
        dot = Tree.SubElement(svg, "circle", {"cx": f"{px:.1f}", "cy": f"{py:.1f}", "r": "5", "class": "dot"})
        Tree.SubElement(dot, "title").text = f"round {item.round}: {item.clicks} clicks, HOTA {value:.1f}"
    _text(svg, x[0] + 10, y[0] + 16, f"{hota[0]:.1f}", "value")
    if len(points) > 1:
        _text(svg, x[-1], y[-1] - 11, f"{hota[-1]:.1f}", "value middle")
    return Tree.tostring(svg, encoding="unicode")


def track_timeline(labels: Labels) -> str:
    """One row a track, in order of appearance, time to the right, coloured by uncertainty; a filled gap is thin."""
    info, tracks = labels.info, labels.track_ids
    spans = [labels.rows(int(track)) for track in tracks]
    longest = sorted(spans, key=lambda span: span.start - span.stop)[:TIMELINE_ROWS]
    shown = sorted(longest, key=lambda span: (labels.frame[span.start], span.start))

    row, left, top, right = 15, 84, 26, 16
    width, plot = 960, 960 - left - right
    height = top + row * len(shown) + 8
    seconds = info.frame_count / info.frame_rate
    svg = _svg(width, height, f"Time line of {len(shown)} tracks over {seconds:.1f} s, coloured by uncertainty")
    for tick in _ticks(0.0, seconds):
        if tick <= seconds:
            at = left + plot * tick / seconds
            _line(svg, at, top - 4, at, height - 8, "grid")
            _text(svg, at, top - 9, f"{tick:g} s", "tick middle")
    columns = min(info.frame_count, TIMELINE_COLUMNS)
    strokes: dict[tuple[int, bool], list[str]] = {}
    for index, span in enumerate(shown):
        y = top + row * index + row // 2
        _text(svg, left - 10, y + 4, f"track {labels.track[span.start]}", "tick end")
        _line(svg, left, y, left + plot, y, "lane")
        for first, last, shade, filled in _runs(labels, span, columns):
            x, length = left + plot * first / columns, plot * (last - first) / columns
            strokes.setdefault((shade, filled), []).append(f"M{x:.1f} {y}h{length:.1f}")
    for edge in ("".join(moves) for (_, filled), moves in strokes.items() if not filled):
        Tree.SubElement(svg, "path", {"d": edge, "class": "edge"})
    for (shade, filled), moves in sorted(strokes.items()):
        style = {"d": "".join(moves), "stroke": _shade_colour(shade), "class": "gap" if filled else "run"}
        Tree.SubElement(svg, "path", style)
    return Tree.tostring(svg, encoding="unicode")


def shade_colours() -> list[str]:
    """The time line's colours from certain to most uncertain, as #rrggbb."""
    return [_shade_colour(shade) for shade in range(SHADES)]


def _runs(labels: Labels, span: slice, columns: int) -> list[tuple[int, int, int, bool]]:
    """(first column, end column, shade, filled gap?) of each stretch of a track that looks the same."""
    column = labels.frame[span] * columns // labels.info.frame_count
    start = np.flatnonzero(np.diff(column, prepend=-1))
    used = column[start]
    uncertainty = np.maximum.reduceat(labels.uncertainty[span], start)
    filled = np.logical_and.reduceat(labels.occluded[span], start)
    shade = np.clip((uncertainty / math.log(2) * SHADES).astype(int), 0, SHADES - 1)
    new = (np.diff(used, prepend=-2) != 1) | (np.diff(shade, prepend=-1) != 0)
    new |= np.diff(filled.astype(int), prepend=-1) != 0
    firsts = np.flatnonzero(new)
    lasts = np.append(firsts[1:], len(used)) - 1
    return [
        (int(used[first]), int(used[last]) + 1, int(shade[first]), bool(filled[first]))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _shade_colour(shade: int) -> str:
    red, green, blue, _ = mpl.colormaps["viridis"](0.15 + 0.8 * shade / (SHADES - 1), bytes=True)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from below ``low`` to above ``high``."""
    if high - low < 1e-6:
        low, high = low - 1, high + 1
    return [float(tick) for tick in MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(low, high)]


def _svg(width: int, height: int, description: str) -> Tree.Element:
    return Tree.Element("svg", {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": description})


def _line(svg: Tree.Element, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}", "class": kind}
    Tree.SubElement(svg, "line", ends)


def _text(svg: Tree.Element, x: float, y: float, text: str, kind: str) -> None:
    Tree.SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "class": kind}).text = text
