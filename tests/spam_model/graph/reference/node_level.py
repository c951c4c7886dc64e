"""The node level's graph: neighbours in time and boxes that overlap in a frame."""

from __future__ import annotations

import math

from tests.spam_model.graph.reference.edges import Edge, Rule, appearance, jump, mutual_best, pair_height, propose
from tests.spam_model.graph.reference.features import giou
from tests.spam_model.graph.reference.tracklets import Clip, Seen, tracklet_of

REACH = 5  # frames


def node_level(clip: Clip) -> tuple[list[Edge], list[list[float]], list[list[float]]]:
    """Edges, node features and edge features."""
    nodes = [tracklet_of([one], clip.rate) for one in clip.seen]
    near = propose(clip, nodes, Rule(clip.frames, REACH))

    def distance(edge: Edge) -> float:
        past, future = nodes[edge[0]], nodes[edge[1]]
        dx, dy, dh, _ = jump(past, future)
        return math.hypot(dx, dy) / pair_height(past, future) + 2 * abs(dh)

    in_time = list(mutual_best({edge: distance(edge) for edge in near}, 4))
    in_frame = overlaps(clip)
    edges = [*in_time, *in_frame]
    node = []
    for one in clip.seen:
        surer = [iou for (a, b), iou in in_frame.items() if b == one.row]
        score = min(max(one.score, 1e-3), 1 - 1e-3)
        node.append(
            [
                one.score,
                math.log(score / (1 - score)),
                max(surer, default=0.0),
                float(sum(one.row in edge for edge in in_frame)),
                math.log1p(sum(one.row in edge for edge in in_time)),
            ]
        )
    edge = []
    for i, j in edges:
        past, future = nodes[i], nodes[j]
        dx, dy, dh, dw = jump(past, future)
        h = pair_height(past, future)
        edge.append(
            [
                float(past.first == future.first),
                (future.first - past.first) / REACH,
                math.log(0.02 + abs(dx) / h),
                math.log(0.02 + abs(dy) / h),
                dh,
                dw,
                giou(clip.seen[i].geometry, clip.seen[j].geometry),
                clip.seen[i].score,
                clip.seen[j].score,
                *appearance(clip, past, future),
            ]
        )
    return edges, node, edge


def overlaps(clip: Clip) -> dict[Edge, float]:
    """IoU of pairs of one frame and class, above 0.3; the surer first, of equals the earlier."""
    result = {}
    for a in clip.seen:
        for b in clip.seen:
            if a.row < b.row and a.frame == b.frame and a.class_id == b.class_id and (iou := iou_of(a, b)) > 0.3:
                result[(a.row, b.row) if a.score >= b.score else (b.row, a.row)] = iou
    return result


def iou_of(a: Seen, b: Seen) -> float:
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = a.box, b.box
    shared = max(min(ax2, bx2) - max(ax1, bx1), 0.0) * max(min(ay2, by2) - max(ay1, by1), 0.0)
    return shared / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared)
