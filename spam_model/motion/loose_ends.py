"""Ends of tracklets that the graph left loose: where it pays to look at the pixels again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.data.clip import FrameSource
from spam_model.detectors.base import Progress
from spam_model.motion.evidence import VELOCITY_OVER, mean_velocity, motion_evidence
from spam_model.motion.model import MotionModel
from spam_model.motion.propagation import ClipFeatures
from spam_model.motion.training_data import FeatureDetector
from spam_model.values import Candidates, Hierarchy, MotionEvidence
from spam_model.values.candidates import FloatArray, IntArray

TRACKLET_CLIP = 32  # frames: tracklets as they enter the level of these clips
FEWEST = 3  # boxes of a tracklet that is worth following


@dataclass(frozen=True)
class LooseEnds:
    """Candidate ``id`` [E], ``direction`` [E] in which its track does not go on (+1 or -1), ``velocity`` [E, 2] px per
    frame."""

    id: IntArray
    direction: IntArray
    velocity: FloatArray


def loose_ends(candidates: Candidates, hierarchy: Hierarchy) -> LooseEnds:
    """Ends of tracklets whose final track has no box in the frame beyond, as far as the clip goes."""
    level = next((level for level in hierarchy.levels if level.clip_length >= TRACKLET_CLIP), None)
    node_of = level.node_of if level is not None else hierarchy.track_of
    track_of, frame = hierarchy.track_of, candidates.frame
    boxes = set(zip(track_of.tolist(), frame.tolist(), strict=True))
    found: list[tuple[int, int, FloatArray]] = []
    order = np.argsort(node_of, kind="stable")  # by tracklet, then frame: candidates are sorted by frame
    order = order[node_of[order] >= 0]
    for rows in np.split(order, np.flatnonzero(np.diff(node_of[order])) + 1):
        if len(rows) < FEWEST:
            continue
        for direction, end, near in ((1, rows[-1], rows[-VELOCITY_OVER:]), (-1, rows[0], rows[:VELOCITY_OVER])):
            beyond = int(frame[end]) + direction
            goes_on = track_of[end] >= 0 and (int(track_of[end]), beyond) in boxes
            if not goes_on and 0 <= beyond < candidates.info.frame_count:
                velocity = mean_velocity(frame[near], candidates.box[near])
                found.append((int(candidates.id[end]), direction, velocity))
    return LooseEnds(
        np.array([id for id, _, _ in found], np.int64),
        np.array([direction for _, direction, _ in found], np.int64),
        np.array([velocity for _, _, velocity in found]).reshape(-1, 2),
    )


def follow_loose_ends(
    candidates: Candidates,
    hierarchy: Hierarchy,
    clip: FrameSource,
    detector: FeatureDetector,
    model: MotionModel,
    progress: Progress | None = None,
) -> MotionEvidence:
    """What the motion model sees beyond the loose ends.

    Args:
        hierarchy: of these candidates, before anybody has answered.
        progress: told of boxes and frames done.
    """
    ends = loose_ends(candidates, hierarchy)
    features = ClipFeatures(clip, detector, model)
    return motion_evidence(
        model, features, candidates, ends.id, ends.direction, velocity=ends.velocity, progress=progress
    )
