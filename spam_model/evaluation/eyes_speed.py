"""What eyes give and how long they take: every frame of a clip once, decoded beforehand and not counted."""

from __future__ import annotations

import time
from dataclasses import dataclass

from spam_model.data.clip import FrameSource
from spam_model.detectors.base import Appearance, Detector, Progress, join_candidates
from spam_model.detectors.registry import source_of
from spam_model.values import Candidates

SAMPLED_FRAMES = 160  # about, on which the detector is timed without embeddings


@dataclass(frozen=True)
class EyesMeasure:
    """All candidates of a clip, and seconds per frame.

    Attributes:
        candidates: boxes with embeddings.
        box_seconds: of the detector alone, per frame.
        seconds: of boxes and embeddings, per frame.
        cpu_seconds: the same as processor time of all threads, which other programs disturb less.
    """

    candidates: Candidates
    box_seconds: float
    seconds: float
    cpu_seconds: float


class _Stopwatch:
    """Adds up wall and processor time of what runs inside ``with``."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def __exit__(self, *error: object) -> None:
        self.seconds += time.perf_counter() - self._start[0]
        self.cpu_seconds += time.process_time() - self._start[1]


def measure_eyes(
    detector: Detector,
    appearance: Appearance,
    clip: FrameSource,
    *,
    batch: int = 8,
    progress: Progress | None = None,
) -> EyesMeasure:
    """Runs the source that ``--detector`` and ``--appearance`` name; its first batch once more before, to warm up.

    The time without embeddings is that of the detector's ``detect`` on some of the batches, evenly spread.
    """
    source = source_of(detector, appearance)
    boxes, both = _Stopwatch(), _Stopwatch()
    timed_frames, parts = 0, []
    count = clip.info.frame_count
    every = max(1, count // SAMPLED_FRAMES)
    for number, first in enumerate(range(0, count, batch)):
        frames, images = zip(*clip.frames(first, min(first + batch, count)), strict=True)
        if number == 0:
            source.detect_frames(images, frames, clip.info)
        with both:
            parts.append(source.detect_frames(images, frames, clip.info))
        if number % every == 0:
            with boxes:
                detector.detect(images)
            timed_frames += len(frames)
        if progress is not None:
            progress(len(frames))
    return EyesMeasure(
        join_candidates(parts), boxes.seconds / timed_frames, both.seconds / count, both.cpu_seconds / count
    )
