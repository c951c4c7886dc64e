"""Candidate sources: those that look at images, and those that know beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from spam_model.appearance.crops import CropAppearance, embed_frames
from spam_model.data.clip import Image
from spam_model.detectors.base import (
    Appearance,
    Detections,
    Detector,
    candidate_ids,
    embed_candidates,
    select_frames,
)
from spam_model.detectors.joint import JointDetector
from spam_model.values import Candidates, ClipInfo
from spam_model.values.candidates import FloatArray


class ImageDetectorSource:
    """A detector, and an appearance model on what it finds."""

    def __init__(self, detector: Detector, appearance: Appearance) -> None:
        self._detector = detector
        self._appearance = appearance

    @property
    def name(self) -> str:
        return self._detector.name

    @property
    def appearance(self) -> str:
        return self._appearance.name

    @property
    def device(self) -> str:
        return self._detector.device

    def detect_frames(self, images: Sequence[Image], frames: Sequence[int], info: ClipInfo) -> Candidates:
        found = self._detector.detect(images)
        embedding = embed_images(self._appearance, images, [part.box for part in found])
        return _candidates(info, self._detector.class_names, frames, found, embedding)


class JointDetectorSource:
    """A detector that gives boxes and embeddings in one forward pass (TDT)."""

    appearance = "joint"

    def __init__(self, detector: JointDetector) -> None:
        self._detector = detector

    @property
    def name(self) -> str:
        return self._detector.name

    @property
    def device(self) -> str:
        return self._detector.device

    def detect_frames(self, images: Sequence[Image], frames: Sequence[int], info: ClipInfo) -> Candidates:
        found = self._detector.detect_jointly(images)
        return _candidates(info, self._detector.class_names, frames, found, [part.embedding for part in found])


class PrecomputedSource:
    """Candidates that are known for the whole clip before a pixel is seen: read from a file, or simulated.

    Pixels, where there are any, serve the embeddings only.
    """

    device = "none"

    def __init__(self, name: str, compute: Callable[[ClipInfo], Candidates], appearance: Appearance) -> None:
        self.name = name
        self.appearance = appearance.name
        self._compute = compute
        self._appearance = appearance
        self._known: Candidates | None = None

    def all_candidates(self, info: ClipInfo) -> Candidates:
        """Those of the whole clip, without embeddings: all that can be had of a clip without pixels."""
        if self._known is None or self._known.info != info:
            self._known = self._compute(info)
        return self._known

    def detect_frames(self, images: Sequence[Image], frames: Sequence[int], info: ClipInfo) -> Candidates:
        return embed_candidates(select_frames(self.all_candidates(info), frames), images, frames, self._appearance)


def embed_images(appearance: Appearance, images: Sequence[Image], boxes: Sequence[FloatArray]) -> Sequence[FloatArray]:
    """Embeddings of each image's boxes [n, 4] -> [n, D]; in common batches where the model looks at crops."""
    if isinstance(appearance, CropAppearance):
        return embed_frames(appearance, images, boxes)
    return [appearance.embed(image, box) for image, box in zip(images, boxes, strict=True)]


def _candidates(
    info: ClipInfo,
    class_names: tuple[str, ...],
    frames: Sequence[int],
    found: Sequence[Detections],
    embedding: Sequence[FloatArray],
) -> Candidates:
    frame = np.repeat(np.asarray(frames, np.int64), [len(part.score) for part in found])
    candidates = Candidates.build(
        replace(info, class_names=class_names),
        frame,
        np.concatenate([part.box for part in found]),
        np.concatenate([part.score for part in found]),
        class_id=np.concatenate([part.class_id for part in found]),
        embedding=np.concatenate(embedding),
    )
    return replace(candidates, id=candidate_ids(candidates.frame))
