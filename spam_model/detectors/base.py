"""What a detector is, and what a source of candidates is.

A *detector* looks at images. A *candidate source* answers for numbered frames of a clip, whether it looks at them (an
image detector with an appearance model), reads a file, or simulates. Its answer for a frame depends on that frame
alone, so batches may be cut anywhere, sent anywhere and joined again: ids come from frame and rank.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from spam_model.data.clip import Image
from spam_model.errors import FormatError
from spam_model.values import Candidates, ClipInfo
from spam_model.values.candidates import FloatArray, IntArray

IDS_PER_FRAME = 10_000

Progress = Callable[[int], object]  # told how many more frames are done


@dataclass(frozen=True)
class Detections:
    """Boxes of one image, best first: box [n, 4] x1 y1 x2 y2 in px, score [n] in [0, 1], class_id [n]."""

    box: FloatArray
    score: FloatArray
    class_id: IntArray


class Detector(Protocol):
    """``class_id`` of what ``detect`` returns indexes ``class_names``; ``device`` is where it really runs."""

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    def detect(self, images: Sequence[Image]) -> list[Detections]: ...


class Appearance(Protocol):
    """Turns boxes into vectors that lie close together where they show the same object."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def embed(self, image: Image, boxes: FloatArray) -> FloatArray:
        """[n, 4] x1 y1 x2 y2 in px -> [n, D] float32, L2-normalised."""
        ...


class CandidateSource(Protocol):
    """Candidates for numbered frames. ``name``, ``appearance`` and ``device`` are what is printed of it."""

    @property
    def name(self) -> str: ...

    @property
    def appearance(self) -> str: ...

    @property
    def device(self) -> str: ...

    def detect_frames(self, images: Sequence[Image], frames: Sequence[int], info: ClipInfo) -> Candidates:
        """The candidates of these frames of the clip, whose pixels are given; the same in whatever batches."""
        ...


def candidate_ids(frame: IntArray) -> IntArray:
    """Stable ids from frame and rank within it: frame · 10 000 + rank. ``frame`` [N] is sorted. [N]."""
    frame = np.asarray(frame, np.int64)
    rank = np.arange(len(frame)) - np.searchsorted(frame, frame)
    if len(rank) and rank.max() >= IDS_PER_FRAME:
        raise FormatError(f"frame {frame[rank.argmax()]} has more than {IDS_PER_FRAME} candidates; raise the threshold")
    return frame * IDS_PER_FRAME + rank


def join_candidates(parts: Sequence[Candidates]) -> Candidates:
    """One clip's candidates out of those of its batches, in any order. No frame may be in two of them."""
    if not parts:
        raise ValueError("nothing to join")
    info = parts[0].info
    if any(part.info != info for part in parts):
        raise FormatError("candidates of different clips, or of detectors with different classes, cannot be joined")
    return Candidates.build(
        info,
        np.concatenate([part.frame for part in parts]),
        np.concatenate([part.box for part in parts]),
        np.concatenate([part.score for part in parts]),
        class_id=np.concatenate([part.class_id for part in parts]),
        embedding=np.concatenate([part.embedding for part in parts]),
        source=np.concatenate([part.source for part in parts]),
        id=np.concatenate([part.id for part in parts]),
    )


def embed_candidates(
    candidates: Candidates, images: Sequence[Image], frames: Sequence[int], appearance: Appearance
) -> Candidates:
    """The same candidates, all of which lie on ``frames``, with the embeddings of their crops."""
    embedding = np.zeros((len(candidates), appearance.dimension), np.float32)
    for frame, image in zip(frames, images, strict=True):
        rows = slice(*np.searchsorted(candidates.frame, [frame, frame + 1]))
        embedding[rows] = appearance.embed(image, candidates.box[rows])
    return replace(candidates, embedding=embedding)


def select_frames(candidates: Candidates, frames: Sequence[int]) -> Candidates:
    """The candidates that lie on these frames."""
    return candidates.take(np.isin(candidates.frame, np.asarray(frames, np.int64)))
