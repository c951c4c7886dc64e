"""The node level's graph: every candidate among its neighbours in time and the boxes that overlap it in its own frame.

Duplicates, the main false positives, show in the frame; a detection without support shows in time.
"""

from __future__ import annotations

import numpy as np

from spam_model.geometry import iou_rows
from spam_model.graph.features import as_rows, giou
from spam_model.graph.gating import LevelRule, appearance, facing, pair_height, propose_edges, rank_within
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, TAIL, Tracklets
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

REACH = 5  # frames before and after
SAME_FRAME_IOU = 0.3
NEIGHBOURS_IN_TIME = 4  # in each direction, of the ten that gating leaves
NODE_INPUTS = ("score", "logit of score", "overlap with a surer box", "boxes overlapped", "log neighbours")
EDGE_INPUTS = (
    "same frame", "gap", "log |dx|", "log |dy|", "log height ratio", "log width ratio", "GIoU",
    "score of past", "score of future", "appearance quantile", "has appearance",
)  # fmt: skip


def node_graph(scene: Scene, nodes: Tracklets, box: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Edges and raw features of the node level.

    Args:
        nodes: one per candidate.
        box: [N, 4] px.

    Returns:
        edge [2, E] (past and future candidate; in one frame the surer and the less sure), node features
        [N, len(NODE_INPUTS)] and edge features [E, len(EDGE_INPUTS)], float32.
    """
    in_time = propose_edges(scene, nodes, LevelRule(clip_length=scene.frame_count, longest_gap=REACH))
    in_time = in_time[:, _nearest(nodes, in_time)]
    in_frame = _overlaps(scene, box)
    edge = np.concatenate([in_time, in_frame], axis=1)
    count = len(nodes)
    overlap = np.zeros(count)
    np.maximum.at(overlap, in_frame[1], iou_rows(box[in_frame[0]], box[in_frame[1]]))
    score = np.clip(scene.score, 1e-3, 1 - 1e-3)
    node_feature = as_rows(
        [
            scene.score,
            np.log(score / (1 - score)),
            overlap,
            np.bincount(in_frame.ravel(), minlength=count),
            np.log1p(np.bincount(in_time.ravel(), minlength=count)),
        ]
    )
    past, future = edge
    here, there = facing(nodes.geometry, past, TAIL), facing(nodes.geometry, future, HEAD)
    jump = there - here
    shift = np.abs(jump[:, :2]) / pair_height(nodes, edge)[:, None]
    edge_feature = as_rows(
        [
            scene.frame[past] == scene.frame[future],
            (scene.frame[future] - scene.frame[past]) / REACH,
            *np.log(0.02 + shift).T,
            *jump[:, 2:].T,
            giou(here, there),
            scene.score[past],
            scene.score[future],
            *appearance(scene, nodes, edge),
        ]
    )
    return edge, node_feature, edge_feature


def _nearest(nodes: Tracklets, edge: IntArray) -> BoolArray:
    """A few spatial neighbours in either direction: enough to see support, at a fraction of the cost. [E]."""
    jump = facing(nodes.geometry, edge[1], HEAD) - facing(nodes.geometry, edge[0], TAIL)
    distance = np.hypot(jump[:, 0], jump[:, 1]) / pair_height(nodes, edge) + 2 * np.abs(jump[:, 2])
    return np.asarray(
        (rank_within(edge[0], distance) < NEIGHBOURS_IN_TIME) & (rank_within(edge[1], distance) < NEIGHBOURS_IN_TIME)
    )


def _overlaps(scene: Scene, box: FloatArray) -> IntArray:
    """Pairs of one frame and class with IoU > 0.3, the surer first. [2, E].

    Boxes of a frame that overlap in x are found by binary search among their left sides.
    """
    if len(scene) == 0:
        return np.zeros((2, 0), np.int64)
    group = scene.frame * (int(scene.class_id.max()) + 1) + scene.class_id
    low = box[:, 0].min()
    width = box[:, 2].max() - low + 1.0
    left, right = (group * width + (box[:, side] - low) for side in (0, 2))
    order = np.argsort(left, kind="stable")
    count = np.searchsorted(left[order], right[order]) - np.arange(len(order)) - 1  # those that start inside
    first = np.repeat(np.arange(len(order)), count)
    within = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    pair = np.sort(order[np.stack([first, first + 1 + within])], axis=0)
    pair = pair[:, iou_rows(box[pair[0]], box[pair[1]]) > SAME_FRAME_IOU]
    surer_first = scene.score[pair[0]] >= scene.score[pair[1]]
    return np.where(surer_first, pair, pair[::-1])
