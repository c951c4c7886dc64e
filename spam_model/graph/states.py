"""Tracklets as nodes: where each begins and ends, how fast it moves there, how long and how sure it is.

A candidate is a tracklet of one box, so that all association levels share one kind of node.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from spam_model.graph.scene import CHANNELS, Scene
from spam_model.values.candidates import FloatArray, IntArray

HEAD, TAIL = 0, 1  # the ends of a tracklet: its first and its last frame
WINDOWS = (0.35, 1.5)  # seconds over which the motion at an end is fitted
_VELOCITY_RIDGE = 4e-4  # s²: noise of 0.02 h over a prior of 1 h/s, squared


@dataclass(frozen=True)
class Tracklets:
    """Structure of arrays over V tracklets; V = ``len``.

    Attributes:
        end: [V, 2] int64, rows of the first and the last box in the scene.
        frame: [V, 2] int64, first and last frame.
        class_id: [V] int64.
        length: [V] number of boxes.
        geometry: [V, 2, 4] first and last box (``Scene.geometry``).
        position: [V, 2, 2, 4] fitted geometry at (end, window).
        velocity: [V, 2, 2, 4] fitted geometry per second at (end, window), px/s and 1/s.
        mean_score, best_score: [V].
        end_score: [V, 2] weighted over the short window.
        border: [V, 2] distance to the border at either end, in heights.
        embedding: [V, D] L2-normalised mean, zero where no box has one.
    """

    end: IntArray
    frame: IntArray
    class_id: IntArray
    length: FloatArray
    geometry: FloatArray
    position: FloatArray
    velocity: FloatArray
    mean_score: FloatArray
    best_score: FloatArray
    end_score: FloatArray
    border: FloatArray
    embedding: FloatArray

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: IntArray) -> Tracklets:
        """The tracklets at ``rows``, in that order."""
        return Tracklets(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def build_tracklets(scene: Scene, node_of: IntArray) -> Tracklets:
    """States of all tracklets at once.

    The motion at an end is a line through the boxes within a window T of it, by least squares with weights score²
    and a small ridge λ on the velocity (Σ w (x − p − v t)² + λ Σw v²), so that one box means v = 0:

        v = (Σw Σwtx − Σwt Σwx) / (Σw Σwt² − (Σwt)² + λ (Σw)²),    p = (Σwx − v Σwt) / Σw

    Args:
        node_of: [N] tracklet of each candidate, 0 … V - 1 without a hole, -1 for none; one box per frame.
    """
    rows = np.flatnonzero(node_of >= 0)
    rows = rows[np.argsort(node_of[rows], kind="stable")]  # by tracklet, then frame: candidates are sorted by frame
    node = node_of[rows]
    count = int(node[-1]) + 1 if len(node) else 0
    length = np.bincount(node, minlength=count)
    last = np.cumsum(length) - 1
    first = last - length + 1
    ends = rows[np.stack([first, last], axis=1)] if count else np.zeros((0, 2), np.int64)  # [V, 2]

    score, geometry, frame = scene.score[rows], scene.geometry[rows], scene.frame
    position = np.zeros((count, 2, len(WINDOWS), CHANNELS))
    velocity = np.zeros_like(position)
    end_score = np.zeros((count, 2))
    for end in (HEAD, TAIL):
        time = (frame[rows] - frame[ends[node, end]]) / scene.frame_rate  # [R], 0 at the end itself
        origin = scene.geometry[ends[:, end]]  # [V, 4]
        for k, window in enumerate(WINDOWS):
            near = np.flatnonzero(np.abs(time) <= window)
            at, t = node[near], time[near]
            offset = (geometry[near] - origin[at]).T  # [4, R'], small numbers keep the sums exact
            weight = score[near] ** 2 + 1e-3
            w, wt, wtt = (_sum(at, weight * factor, count) for factor in (np.ones_like(t), t, t**2))
            wx = np.stack([_sum(at, weight * o, count) for o in offset], axis=1)  # [V, 4]
            wtx = np.stack([_sum(at, weight * t * o, count) for o in offset], axis=1)
            spread = w * wtt - wt**2 + _VELOCITY_RIDGE * w**2
            velocity[:, end, k] = (w[:, None] * wtx - wt[:, None] * wx) / spread[:, None]
            position[:, end, k] = origin + (wx - velocity[:, end, k] * wt[:, None]) / w[:, None]
            if k == 0:
                end_score[:, end] = _sum(at, weight * score[near], count) / w
    return Tracklets(
        end=ends,
        frame=frame[ends],
        class_id=scene.class_id[ends[:, HEAD]],
        length=length.astype(np.float64),
        geometry=scene.geometry[ends],
        position=position,
        velocity=velocity,
        mean_score=_sum(node, score, count) / np.maximum(length, 1),
        best_score=np.maximum.reduceat(score, first) if count else np.zeros(0),
        end_score=end_score,
        border=scene.border[ends],
        embedding=_mean_embedding(scene.embedding[rows], first),
    )


def _sum(node: IntArray, value: FloatArray, count: int) -> FloatArray:
    return np.asarray(np.bincount(node, weights=value, minlength=count), np.float64)


def _mean_embedding(embedding: FloatArray, first: IntArray) -> FloatArray:
    if len(first) == 0 or embedding.shape[1] == 0:
        return np.zeros((len(first), embedding.shape[1]), np.float32)
    total = np.add.reduceat(embedding, first, axis=0)
    norm = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(np.divide(total, norm, out=np.zeros_like(total), where=norm > 0))
