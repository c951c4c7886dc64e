"""What an online tracker is: it is shown one frame after the other, and says at once who is where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from spam_model.data.clip import FrameSource
from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.detectors.joint import JointDetections, JointDetector
from spam_model.detectors.nms import non_maximum_suppression
from spam_model.values import Labels
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

Progress = Callable[[int], object]  # told how many more frames are done


@dataclass(frozen=True)
class Sight:
    """One frame as a tracker sees it.

    Attributes:
        frame: 0-based.
        found: boxes, best first, with embeddings.
        maps: gives the detector's feature maps, B = 1; only computed for trackers that ask.
    """

    frame: int
    found: JointDetections
    maps: Callable[[], FeatureMaps]


@dataclass(frozen=True)
class Tracked:
    """Who is where in one frame: track [n], box [n, 4] px, score [n], class_id [n]; no track twice."""

    track: IntArray
    box: FloatArray
    score: FloatArray
    class_id: IntArray

    def __len__(self) -> int:
        return len(self.track)


class OnlineTracker(Protocol):
    """Keeps its tracks from frame to frame; one object serves one clip."""

    @property
    def name(self) -> str: ...

    def update(self, sight: Sight) -> Tracked:
        """The tracks that are visible in this frame. Frames come in order, none is left out."""
        ...


def without_duplicates(found: JointDetections, max_iou: float) -> JointDetections:
    """Of boxes of a class that overlap by more than ``max_iou``, the best."""
    rows = non_maximum_suppression(found.box, found.score, found.class_id, max_iou)
    return select(found, rows)


def select(found: JointDetections, rows: IntArray | BoolArray) -> JointDetections:
    """The detections at ``rows``."""
    return JointDetections(found.box[rows], found.score[rows], found.class_id[rows], found.embedding[rows])


def sights(clip: FrameSource, detector: JointDetector) -> Iterator[Sight]:
    """The frames of a clip, one at a time."""
    for frame, image in clip.frames():
        (found,) = detector.detect_jointly([image])
        yield Sight(frame, found, lambda image=image: detector.features([image]))  # type: ignore[misc]


def track_clip(
    tracker: OnlineTracker, clip: FrameSource, detector: JointDetector, progress: Progress | None = None
) -> Labels:
    """All tracks of a clip; track numbers as the tracker gave them."""
    frames: list[int] = []
    parts: list[Tracked] = []
    for sight in sights(clip, detector):
        tracked = tracker.update(sight)
        frames += [sight.frame] * len(tracked)
        parts.append(tracked)
        if progress is not None:
            progress(1)
    return Labels.build(
        replace(clip.info, class_names=detector.class_names),
        np.concatenate([part.track for part in parts]),
        np.array(frames, np.int64),
        np.concatenate([part.box for part in parts]),
        class_id=np.concatenate([part.class_id for part in parts]),
        score=np.concatenate([part.score for part in parts]),
    )
