"""What stands in CVAT as labels: what is scored and shown is what people see there, not what we meant to push."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cvat_bridge.ownership import Keyframe, keyframes_of, mark_of
from cvat_bridge.plan import interpolate
from cvat_bridge.wire import Annotations, Job, Label
from spam_model.values import ClipInfo, Labels


def labels_in_cvat(
    info: ClipInfo, jobs: tuple[Job, ...], annotations: Mapping[int, Annotations], specs: tuple[Label, ...]
) -> Labels:
    """All tracks of a task as labels; parts of one identity in several jobs are one track.

    Identity comes from our mark. A track without one counts as an identity of its own, and so does the second of a job
    with the same mark: a person split it.
    """
    by_id = {label.id: label for label in specs}
    class_of = {name: position for position, name in enumerate(info.class_names)}
    rows: dict[tuple[int, int], tuple[int, np.ndarray, bool]] = {}
    unmarked = -1
    for job in jobs:
        seen: set[int] = set()
        for track in annotations[job.id].tracks:
            label = by_id.get(track.label_id)
            if label is None or label.name not in class_of:
                continue
            mark = mark_of(track, label)
            if mark and mark.identity not in seen:
                identity = mark.identity
                seen.add(identity)
            else:
                identity = unmarked
                unmarked -= 1
            keyframes = keyframes_of(track)
            frames, boxes = interpolate(keyframes, last_frame=job.stop_frame)
            occluded = _occluded(keyframes, frames)
            for frame, box, hidden in zip(frames.tolist(), boxes, occluded.tolist(), strict=True):
                rows[identity, frame] = (class_of[label.name], box, hidden)
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
