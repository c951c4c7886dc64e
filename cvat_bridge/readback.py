"""What stands in CVAT as labels: what is scored and shown is what people see there, not what we meant to push."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from cvat_bridge.agreement import Boxes, agreeing_frames
from cvat_bridge.ownership import Keyframe, keyframes_of, mark_of
from cvat_bridge.plan import interpolate
from cvat_bridge.wire import Annotations, Job, Label
from spam_model.values import ClipInfo, Labels
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

MOST_SHARED_FRAMES = 0.5


@dataclass(frozen=True)
class _Part:
    """A track within one job: ``frame`` [N], ``box`` [N, 4] px, ``occluded`` [N]; identity 0 is not known yet."""

    identity: int
    class_id: int
    frame: IntArray
    box: FloatArray
    occluded: BoolArray


def labels_in_cvat(
    info: ClipInfo, jobs: tuple[Job, ...], annotations: Mapping[int, Annotations], specs: tuple[Label, ...]
) -> Labels:
    """All tracks of a task as labels; parts of one identity in several jobs are one track.

    Identity comes from our mark. A track without one counts as an identity of its own, and so does the second of a job
    with the same mark: a person split it. Where jobs overlap, a track without a mark goes on as the one of the job
    before with which it agrees on most of the shared frames.
    """
    by_id = {label.id: label for label in specs}
    class_of = {name: position for position, name in enumerate(info.class_names)}
    rows: dict[tuple[int, int], tuple[int, np.ndarray, bool]] = {}
    unmarked = -1
    before: list[_Part] = []
    for job in jobs:
        seen: set[int] = set()
        parts: list[_Part] = []
        for track in annotations[job.id].tracks:
            label = by_id.get(track.label_id)
            if label is None or label.name not in class_of:
                continue
            mark = mark_of(track, label)
            identity = mark.identity if mark and mark.identity not in seen else 0
            seen.add(identity)
            keyframes = keyframes_of(track)
            frames, boxes = interpolate(keyframes, last_frame=job.stop_frame)
            parts.append(_Part(identity, class_of[label.name], frames, boxes, _occluded(keyframes, frames)))
        parts = _continued(before, parts)
        for position, part in enumerate(parts):
            if part.identity == 0:
                parts[position] = part = replace(part, identity=unmarked)
                unmarked -= 1
            for frame, box, hidden in zip(part.frame.tolist(), part.box, part.occluded.tolist(), strict=True):
                rows[part.identity, frame] = (part.class_id, box, hidden)
        before = parts
    keys = sorted(rows)
    identities = {identity: number for number, identity in enumerate(sorted({key[0] for key in keys}), start=1)}
    return Labels.build(
        info,
        np.array([identities[identity] for identity, _ in keys], np.int64),
        np.array([frame for _, frame in keys], np.int64),
        np.array([rows[key][1] for key in keys], np.float64),
        class_id=np.array([rows[key][0] for key in keys], np.int64),
        occluded=np.array([rows[key][2] for key in keys], bool),
    )


def _occluded(keyframes: tuple[Keyframe, ...], frames: np.ndarray) -> np.ndarray:
    """The flag of the last keyframe at or before each frame."""
    if len(frames) == 0:
        return np.zeros(0, bool)
    starts = np.array([keyframe.frame for keyframe in keyframes])
    flags = np.array([keyframe.occluded for keyframe in keyframes])
    return np.asarray(flags[np.searchsorted(starts, frames, side="right") - 1])


def _continued(before: list[_Part], parts: list[_Part]) -> list[_Part]:
    """``parts`` of unknown identity with that of the part of the job before which they agree with, one to one."""
    taken = {part.identity for part in parts}
    old = [part for part in before if part.identity not in taken]
    new = [position for position, part in enumerate(parts) if part.identity == 0]
    shared = agreeing_frames(
        Boxes.of([(part.frame, part.box) for part in old]),
        Boxes.of([(parts[position].frame, parts[position].box) for position in new]),
    )
    result = list(parts)
    for row, column in zip(*linear_sum_assignment(-shared), strict=True):
        earlier, later = old[row], parts[new[column]]
        common = len(np.intersect1d(earlier.frame, later.frame))
        if earlier.class_id == later.class_id and shared[row, column] > MOST_SHARED_FRAMES * common:
            result[new[column]] = replace(later, identity=earlier.identity)
    return result
