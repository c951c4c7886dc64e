"""What the network sees of a node and of an edge, before standardisation.

Distances are in heights of the objects, times in seconds, so that resolution and frame rate cancel; x enters by its
magnitude, so that left and right are alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spam_model.geometry import iou_rows
from spam_model.graph.gating import appearance, edge_cost, facing, mid_gap_residual, pair_height, rank_within
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, TAIL, Tracklets
from spam_model.values import MotionEvidence
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

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
MOTION_FEATURES = ("seen ahead", "visibility ahead", "IoU ahead", "seen back", "visibility back", "IoU back")
NODE_FEATURES = (
    "log boxes", "log duration", "occupancy", "mean score", "best score", "head score", "tail score",
    "log height", "log aspect against the usual", "head border", "tail border",
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
        (nodes.geometry[:, :, 2] - nodes.geometry[:, :, 3]).mean(axis=1) - scene.usual_aspect[nodes.class_id],
        *np.clip(nodes.border, -0.5, 3.0).T,
        *speed[:, HEAD].T,
        *speed[:, TAIL].T,
        np.log(1 / rate + (nodes.frame[:, HEAD] - clip_start) / rate),
        np.log(1 / rate + (clip_end - nodes.frame[:, TAIL]) / rate),
    ]
    return as_rows(columns)


def edge_features(scene: Scene, nodes: Tracklets, edge: IntArray) -> FloatArray:
    """[E, len(EDGE_FEATURES)] float32."""
    past, future = edge
    frames = nodes.frame[future, HEAD] - nodes.frame[past, TAIL]
    gap = np.maximum(frames, 0) / scene.frame_rate
    height = pair_height(nodes, edge)[:, None]
    here, there = facing(nodes.geometry, past, TAIL), facing(nodes.geometry, future, HEAD)  # [E, 4]
    position = facing(nodes.position, past, TAIL), facing(nodes.position, future, HEAD)  # [E, windows, 4]
    velocity = facing(nodes.velocity, past, TAIL), facing(nodes.velocity, future, HEAD)
    jump = there - here
    shift = jump[:, :2] / height
    residual = mid_gap_residual(nodes, edge, gap)  # [E, windows, 4]
    short, long = np.abs(residual[:, 0, :2]) / height, np.abs(residual[:, 1, :2]) / height
    flight = gap[:, None]
    forward = there[:, :2] - (position[0][:, 1, :2] + velocity[0][:, 1, :2] * flight)
    backward = here[:, :2] - (position[1][:, 1, :2] - velocity[1][:, 1, :2] * flight)
    out_velocity, in_velocity = velocity[0][:, 0, :2] / height, velocity[1][:, 0, :2] / height
    speeds = np.hypot(*out_velocity.T) * np.hypot(*in_velocity.T)
    half_step = np.where(np.arange(4) < 2, flight / 2, 0.0)  # [E, 4]
    cost = edge_cost(scene, nodes, edge)
    of_past, of_future = rank_within(past, cost), rank_within(future, cost)
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
        *(_log_magnitude(np.hypot(*(offset / height).T)) for offset in (forward, backward)),
        giou(here, there),
        giou(position[0][:, 0] + velocity[0][:, 0] * half_step, position[1][:, 0] - velocity[1][:, 0] * half_step),
        np.log(0.05 + np.hypot(*(in_velocity - out_velocity).T)),
        (in_velocity * out_velocity).sum(axis=1) / (speeds + 0.01),
        np.abs(residual[:, 1, 2]),
        *appearance(scene, nodes, edge),
        np.log1p(of_past),
        np.log1p(of_future),
        _margin(past, cost, of_past),
        _margin(future, cost, of_future),
    ]
    return as_rows(columns)


def motion_features(scene: Scene, nodes: Tracklets, edge: IntArray) -> FloatArray | None:
    """What a motion model saw of each edge (SiamMOT's motion as evidence), [E, 6] float32; None where none was asked.

    For either direction: 1 where the box at one end was followed to the frame of the other end (else 0, 0, 0), its
    visibility there, and the IoU of where it was seen with the box at the other end.
    """
    if scene.motion is None:
        return None
    tail, head = nodes.end[edge[0], TAIL], nodes.end[edge[1], HEAD]
    return as_rows([*_followed(scene, scene.motion, tail, head), *_followed(scene, scene.motion, head, tail)])


def _followed(
    scene: Scene, motion: MotionEvidence, start: IntArray, target: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Args: ``start``, ``target`` [E] rows of the scene. Returns three columns [E]."""
    box, visibility, known = motion.at(scene.id[start], scene.frame[target])
    overlap = np.zeros(len(start))
    overlap[known] = iou_rows(box[known], scene.box_of(target[known]))
    return known.astype(np.float64), visibility, overlap


def as_rows(columns: Sequence[FloatArray | IntArray | BoolArray]) -> FloatArray:
    """F columns [K] -> [K, F] float32."""
    return np.stack([column.astype(np.float32) for column in columns]).T.copy()


def giou(first: FloatArray, second: FloatArray) -> FloatArray:
    """Generalised IoU of boxes given as bottom centre, log height, log width. [E, 4] × [E, 4] -> [E] in (-1, 1]."""
    left_a, right_a, top_a, bottom_a = _sides(first)
    left_b, right_b, top_b, bottom_b = _sides(second)
    width = np.minimum(right_a, right_b) - np.maximum(left_a, left_b)
    height = np.minimum(bottom_a, bottom_b) - np.maximum(top_a, top_b)
    shared = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    hull = (np.maximum(right_a, right_b) - np.minimum(left_a, left_b)) * (
        np.maximum(bottom_a, bottom_b) - np.minimum(top_a, top_b)
    )
    union = (right_a - left_a) * (bottom_a - top_a) + (right_b - left_b) * (bottom_b - top_b) - shared
    return np.asarray(shared / union - (hull - union) / hull)


def _sides(geometry: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Left, right, top and bottom, each [E]."""
    half = np.exp(geometry[:, 3]) / 2
    x, bottom = geometry[:, 0], geometry[:, 1]
    return x - half, x + half, bottom - np.exp(geometry[:, 2]), bottom


def _log_magnitude(value: FloatArray) -> FloatArray:
    return np.asarray(np.log(_EPS + np.minimum(np.abs(value), 50.0)))


def _margin(group: IntArray, cost: FloatArray, rank: IntArray) -> FloatArray:
    """How much cheaper (negative) or dearer the edge is than the best rival at the same node, within ±3. [E]."""
    count = int(group.max(initial=-1)) + 1
    best, second = np.full(count, np.inf), np.full(count, np.inf)
    best[group[rank == 0]] = cost[rank == 0]
    second[group[rank == 1]] = cost[rank == 1]
    rival = np.where(rank == 0, second[group], best[group])
    return np.clip(cost - rival, -3.0, 3.0)
