"""How well boxes of the ground truth are propagated: explicit and implicit motion model against constant velocity."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spam_model.geometry import centres, from_centres, iou_rows, sizes
from spam_model.motion.evidence import mean_velocity
from spam_model.motion.model import MotionModel
from spam_model.motion.propagation import ClipFeatures, Way, start, step
from spam_model.values import GroundTruth
from spam_model.values.candidates import FloatArray, IntArray

METHODS = ("constant velocity", "IMM", "EMM")
_WAYS: dict[str, Way] = {"IMM": "implicit", "EMM": "explicit"}


@dataclass(frozen=True)
class PropagationAccuracy:
    """Mean IoU of each method at each gap, None where no box has one; how many boxes; ms for one box and frame."""

    iou: dict[str, dict[int, float | None]]
    boxes: dict[int, int]
    milliseconds: dict[str, float]


@dataclass(frozen=True)
class _Begin:
    """Boxes of a frame with enough past: track [n], box [n, 4], velocity [n, 2] px per frame."""

    track: IntArray
    box: FloatArray
    velocity: FloatArray


def propagation_accuracy(
    model: MotionModel,
    features: ClipFeatures,
    truth: GroundTruth,
    *,
    gaps: tuple[int, ...] = (1, 5, 15, 30),
    history: int = 5,
    every: int = 5,
    progress: Callable[[int], object] | None = None,
) -> PropagationAccuracy:
    """Boxes of the truth are followed from every ``every``-th frame on; all methods begin with the same velocity.

    That velocity is the least-squares one over the box and the ``history`` frames before it, of which all must have a
    box. Methods see no truth after the first frame.
    """
    rows_of: dict[int, IntArray] = {
        frame: np.flatnonzero((truth.frame == frame) & ~truth.ignored) for frame in range(truth.info.frame_count)
    }
    found: dict[str, dict[int, list[float]]] = {method: {gap: [] for gap in gaps} for method in METHODS}
    seconds, count = dict.fromkeys(_WAYS, 0.0), 0
    for first in range(0, truth.info.frame_count, every):
        begin = _begin(truth, rows_of, first, history)
        last = min(first + max(gaps), truth.info.frame_count - 1)
        if len(begin.track) and last > first:
            states = {
                name: start(features[first], first, begin.box, begin.velocity, way) for name, way in _WAYS.items()
            }
            for frame in range(first + 1, last + 1):
                maps = features[frame]
                for name, way in _WAYS.items():
                    clock = time.perf_counter()
                    states[name] = step(model, maps, frame, states[name], way=way)
                    seconds[name] += time.perf_counter() - clock
                count += len(begin.track)
                gap = frame - first
                if gap in gaps:
                    _, here, there = np.intersect1d(begin.track, truth.track[rows_of[frame]], return_indices=True)
                    target = truth.box[rows_of[frame][there]]
                    straight = from_centres(centres(begin.box) + gap * begin.velocity, sizes(begin.box))
                    boxes = {"constant velocity": straight}
                    boxes |= {name: state.box.cpu().numpy().astype(np.float64) for name, state in states.items()}
                    for name, box in boxes.items():
                        found[name][gap] += iou_rows(box[here], target).tolist()
        if progress is not None:
            progress(min(every, truth.info.frame_count - first))
    return PropagationAccuracy(
        {m: {gap: float(np.mean(values)) if values else None for gap, values in of.items()} for m, of in found.items()},
        {gap: len(values) for gap, values in found["EMM"].items()},
        {name: 1000 * spent / max(count, 1) for name, spent in seconds.items()},
    )


def _begin(truth: GroundTruth, rows_of: dict[int, IntArray], frame: int, history: int) -> _Begin:
    tracks, boxes, velocities = [], [], []
    for row in rows_of[frame]:
        past = np.flatnonzero(
            (truth.track == truth.track[row])
            & (truth.frame <= frame)
            & (truth.frame >= frame - history)
            & ~truth.ignored
        )
        if len(past) == history + 1:
            tracks.append(truth.track[row])
            boxes.append(truth.box[row])
            velocities.append(mean_velocity(truth.frame[past], truth.box[past]))
    count = len(tracks)
    return _Begin(np.array(tracks, np.int64), np.array(boxes).reshape(count, 4), np.array(velocities).reshape(count, 2))
