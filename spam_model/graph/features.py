"""What the network sees of a node and of an edge, before standardisation.

Distances are in heights of the objects, times in seconds, so that resolution and frame rate cancel; x enters by its
magnitude, so that left and right are alike.
"""

from __future__ import annotations

import numpy as np

from spam_model.graph.gating import appearance, edge_cost, mid_gap_residual, pair_height, rank_within
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, TAIL, Tracklets
from spam_model.values.candidates import FloatArray, IntArray

EDGE_FEATURES = (
    "log gap", "gap", "overlap",
    "log |dx|", "log |dy|", "dy", "log height ratio", "|log height ratio|", "|log width ratio|",
    "log |mid-gap x|, short", "log |mid-gap y|, short", "log |mid-gap x|, long", "log |mid-gap y|, long",
    "log forward residual", "log backward residual",
    "GIoU", "motion GIoU",
    "log velocity change", "velocity cosine", "|log height ratio|, fitted",
    "appearance quantile", "has appearance",
    "log rank of future", "log rank of past", "margin of past", "margin of future",
)  # fmt: skip
NODE_FEATURES = (
    "log boxes", "log duration", "occupancy", "mean score", "best score", "head score", "tail score",
    "log height", "log aspect", "head border", "tail border",
    "head speed x", "head speed y", "tail speed x", "tail speed y",
    "log time to clip start", "log time to clip end",
)  # fmt: skip
_EPS = 0.02


def node_features(scene: Scene, nodes: Tracklets, clip_length: int) -> FloatArray:
    """[V, len(NODE_FEATURES)] float32."""
    rate = scene.frame_rate
    frames = nodes.frame[:, TAIL] - nodes.frame[:, HEAD] + 1
    height = np.exp(nodes.geometry[:, :, 2])  # [V, 2]
    speed = np.log1p(np.abs(nodes.velocity[:, :, 0, :2]) / height[..., None])  # [V, 2, 2]
    clip_start = nodes.frame[:, HEAD] // clip_length * clip_length
    clip_end = np.minimum(clip_start + clip_length, scene.frame_count) - 1
    columns = [
        np.log(nodes.length),
        np.log(frames / rate),
        nodes.length / np.maximum(frames, 1),
        nodes.mean_score,
        nodes.best_score,
        *nodes.end_score.T,
        nodes.geometry[:, :, 2].mean(axis=1) - np.log(scene.image_height),
        (nodes.geometry[:, :, 2] - nodes.geometry[:, :, 3]).mean(axis=1),
        *np.clip(nodes.border, -0.5, 3.0).T,
        *speed[:, HEAD].T,
        *speed[:, TAIL].T,
        np.log(1 / rate + (nodes.frame[:, HEAD] - clip_start) / rate),
        np.log(1 / rate + (clip_end - nodes.frame[:, TAIL]) / rate),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def edge_features(scene: Scene, nodes: Tracklets, edge: IntArray) -> FloatArray:
    """[E, len(EDGE_FEATURES)] float32."""
    past, future = edge
    frames = nodes.frame[future, HEAD] - nodes.frame[past, TAIL]
    gap = np.maximum(frames, 0) / scene.frame_rate
    height = pair_height(nodes, edge)[:, None]
    jump = nodes.geometry[future, HEAD] - nodes.geometry[past, TAIL]  # [E, 4]
    shift = jump[:, :2] / height
    residual = mid_gap_residual(nodes, edge, gap)  # [E, windows, 4]
    short, long = np.abs(residual[:, 0, :2]) / height, np.abs(residual[:, 1, :2]) / height
    flight = gap[:, None]
    forward = nodes.geometry[future, HEAD, :2] - (
        nodes.position[past, TAIL, 1, :2] + nodes.velocity[past, TAIL, 1, :2] * flight
    )
    backward = nodes.geometry[past, TAIL, :2] - (
        nodes.position[future, HEAD, 1, :2] - nodes.velocity[future, HEAD, 1, :2] * flight
    )
    out_velocity = nodes.velocity[past, TAIL, 0, :2] / height
    in_velocity = nodes.velocity[future, HEAD, 0, :2] / height
    speeds = np.linalg.norm(out_velocity, axis=1) * np.linalg.norm(in_velocity, axis=1)
    cost = edge_cost(scene, nodes, edge)
    columns = [
        np.log(1e-2 + gap),
        np.minimum(gap, 6.0),
        np.minimum(np.maximum(1 - frames, 0) / scene.frame_rate, 1.0),
        *_log_magnitude(shift).T,
        shift[:, 1],
        jump[:, 2],
        np.abs(jump[:, 2]),
        np.abs(jump[:, 3]),
        *_log_magnitude(short).T,
        *_log_magnitude(long).T,
        *_log_magnitude(np.stack([np.linalg.norm(v / height, axis=1) for v in (forward, backward)])),
        giou(nodes.geometry[past, TAIL], nodes.geometry[future, HEAD]),
        _motion_giou(nodes, edge, gap),
        np.log(0.05 + np.linalg.norm(in_velocity - out_velocity, axis=1)),
        (in_velocity * out_velocity).sum(axis=1) / (speeds + 0.01),
        np.abs(residual[:, 1, 2]),
        *appearance(scene, nodes, edge),
        np.log1p(rank_within(past, cost)),
        np.log1p(rank_within(future, cost)),
        _margin(past, cost),
        _margin(future, cost),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def giou(first: FloatArray, second: FloatArray) -> FloatArray:
    """Generalised IoU of boxes given as bottom centre, log height, log width. [E, 4] × [E, 4] -> [E] in (-1, 1]."""
    low_a, high_a = _corners(first)
    low_b, high_b = _corners(second)
    shared = np.prod(np.maximum(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0.0), axis=1)
    hull = np.prod(np.maximum(high_a, high_b) - np.minimum(low_a, low_b), axis=1)
    union = np.prod(high_a - low_a, axis=1) + np.prod(high_b - low_b, axis=1) - shared
    return np.asarray(shared / union - (hull - union) / hull)


def _corners(geometry: FloatArray) -> tuple[FloatArray, FloatArray]:
    height, width = np.exp(geometry[:, 2]), np.exp(geometry[:, 3])
    x, bottom = geometry[:, 0], geometry[:, 1]
    return np.stack([x - width / 2, bottom - height], axis=1), np.stack([x + width / 2, bottom], axis=1)


def _motion_giou(nodes: Tracklets, edge: IntArray, gap: FloatArray) -> FloatArray:
    """GIoU of the boxes at both ends, moved to the middle of the gap by the short fit. [E]."""
    past, future = edge
    step = np.where(np.arange(4) < 2, gap[:, None] / 2, 0.0)  # [E, 4]
    ahead = nodes.position[past, TAIL, 0] + nodes.velocity[past, TAIL, 0] * step
    behind = nodes.position[future, HEAD, 0] - nodes.velocity[future, HEAD, 0] * step
    return giou(ahead, behind)


def _log_magnitude(value: FloatArray) -> FloatArray:
    return np.asarray(np.log(_EPS + np.minimum(np.abs(value), 50.0)))


def _margin(group: IntArray, cost: FloatArray) -> FloatArray:
    """How much cheaper (negative) or dearer the edge is than the best rival at the same node, within ±3. [E]."""
    if len(cost) == 0:
        return np.zeros(0)
    count = int(group.max()) + 1
    best, second = np.full(count, np.inf), np.full(count, np.inf)
    rank = rank_within(group, cost)
    best[group[rank == 0]] = cost[rank == 0]
    second[group[rank == 1]] = cost[rank == 1]
    rival = np.where(rank == 0, second[group], best[group])
    return np.clip(cost - rival, -3.0, 3.0)
