"""The features of nodes and edges of an association level, one at a time."""

from __future__ import annotations

import math

import numpy as np

from spam_model.geometry import iou_rows
from tests.spam_model.graph.reference.edges import (
    Edge,
    appearance,
    gap_seconds,
    jump,
    mid_gap,
    moved_to_middle,
    pair_height,
    ranks,
)
from tests.spam_model.graph.reference.tracklets import HEAD, LONG, SHORT, TAIL, Clip, Seen, Tracklet


def node_features(clip: Clip, node: Tracklet, clip_length: int) -> list[float]:
    count, frames = len(node.boxes), node.last - node.first + 1
    scores = [one.score for one in node.boxes]
    start = node.first // clip_length * clip_length
    end = min(start + clip_length, clip.frames) - 1
    geometry = [end.seen.geometry for end in node.ends]
    speeds = [
        math.log1p(abs(end.velocity[SHORT][channel]) / math.exp(end.seen.geometry[2]))
        for end in node.ends
        for channel in (0, 1)
    ]
    return [
        math.log(count),
        math.log(frames / clip.rate),
        count / frames,
        sum(scores) / count,
        max(scores),
        node.ends[HEAD].score,
        node.ends[TAIL].score,
        (geometry[0][2] + geometry[1][2]) / 2 - math.log(clip.image_height),
        sum(g[2] - g[3] for g in geometry) / 2 - clip.usual_aspect[node.class_id],
        *(min(max(end.seen.border, -0.5), 3.0) for end in node.ends),
        *speeds,
        math.log((1 + node.first - start) / clip.rate),
        math.log((1 + end - node.last) / clip.rate),
    ]


def edge_features(clip: Clip, nodes: list[Tracklet], cost: dict[Edge, float]) -> dict[Edge, list[float]]:
    """``cost``: of all edges of the level, among which they are ranked."""
    rank = ranks(cost, 0), ranks(cost, 1)
    result = {}
    for edge in cost:
        past, future = nodes[edge[0]], nodes[edge[1]]
        margins = [margin(edge, cost, rank[side], side) for side in (0, 1)]
        result[edge] = [
            *pair_features(clip, past, future),
            math.log1p(rank[0][edge]),
            math.log1p(rank[1][edge]),
            *margins,
        ]
    return result


def motion_features(clip: Clip, past: Tracklet, future: Tracklet) -> list[float]:
    """Of an edge, seen from either end."""
    tail, head = past.ends[TAIL].seen, future.ends[HEAD].seen
    return [*followed(clip, tail, head), *followed(clip, head, tail)]


def followed(clip: Clip, start: Seen, target: Seen) -> list[float]:
    """1, visibility and IoU where the box at ``start`` was followed to the frame of ``target``; else zeros."""
    places = clip.followed.get(start.row, {})
    earlier = [frame for frame in places if frame <= target.frame]
    later = [frame for frame in places if frame >= target.frame]
    if not earlier or not later:
        return [0.0, 0.0, 0.0]
    (a, sure_a), (b, sure_b) = places[max(earlier)], places[min(later)]
    share = (target.frame - max(earlier)) / max(min(later) - max(earlier), 1)
    box = np.array([[(1 - share) * x + share * y for x, y in zip(a, b, strict=True)]])
    return [1.0, min(sure_a, sure_b), float(iou_rows(box, np.array([target.box]))[0])]


def pair_features(clip: Clip, past: Tracklet, future: Tracklet) -> list[float]:
    frames, gap, h = future.first - past.last, gap_seconds(clip, past, future), pair_height(past, future)
    tail, head = past.ends[TAIL], future.ends[HEAD]
    dx, dy, dh, dw = jump(past, future)
    short, long = (mid_gap(clip, past, future, window) for window in (SHORT, LONG))
    forward = [head.seen.geometry[c] - (tail.position[LONG][c] + tail.velocity[LONG][c] * gap) for c in (0, 1)]
    backward = [tail.seen.geometry[c] - (head.position[LONG][c] - head.velocity[LONG][c] * gap) for c in (0, 1)]
    out = [tail.velocity[SHORT][c] / h for c in (0, 1)]
    into = [head.velocity[SHORT][c] / h for c in (0, 1)]
    cosine = (out[0] * into[0] + out[1] * into[1]) / (math.hypot(*out) * math.hypot(*into) + 0.01)
    return [
        math.log(0.01 + gap),
        min(gap, 6.0),
        min(max(1 - frames, 0) / clip.rate, 1.0),
        log_size(dx / h),
        log_size(dy / h),
        dy / h,
        dh,
        abs(dh),
        abs(dw),
        log_size(short[0] / h),
        log_size(short[1] / h),
        log_size(long[0] / h),
        log_size(long[1] / h),
        log_size(math.hypot(*forward) / h),
        log_size(math.hypot(*backward) / h),
        giou(tail.seen.geometry, head.seen.geometry),
        giou(*moved_to_middle(clip, past, future, SHORT)),
        math.log(0.05 + math.hypot(into[0] - out[0], into[1] - out[1])),
        cosine,
        abs(long[2]),
        *appearance(clip, past, future),
    ]


def log_size(value: float) -> float:
    return math.log(0.02 + min(abs(value), 50.0))


def giou(a: list[float] | tuple[float, ...], b: list[float] | tuple[float, ...]) -> float:
    """Generalised IoU (Rezatofighi et al., CVPR 2019) of two boxes: bottom centre, log height, log width."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = corners(a), corners(b)
    shared = max(min(ax2, bx2) - max(ax1, bx1), 0.0) * max(min(ay2, by2) - max(ay1, by1), 0.0)
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared
    hull = (max(ax2, bx2) - min(ax1, bx1)) * (max(ay2, by2) - min(ay1, by1))
    return shared / union - (hull - union) / hull


def corners(geometry: list[float] | tuple[float, ...]) -> tuple[float, float, float, float]:
    x, bottom, height, width = geometry[0], geometry[1], math.exp(geometry[2]), math.exp(geometry[3])
    return x - width / 2, bottom - height, x + width / 2, bottom


def margin(edge: Edge, cost: dict[Edge, float], rank: dict[Edge, int], side: int) -> float:
    """To the best rival at the same node: negative for the cheapest edge; −3 … 3, and that where there is no rival."""
    rivals = [cost[other] for other in cost if other[side] == edge[side] and other != edge]
    if not rivals:
        return -3.0
    best = min(rivals)
    return min(max(cost[edge] - best, -3.0), 3.0)
