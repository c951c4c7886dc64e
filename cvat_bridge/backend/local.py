"""The model in this process."""

from __future__ import annotations

from collections.abc import Iterable

from cvat_bridge.backend.batches import batches
from cvat_bridge.backend.protocol import BackendDescription, EncodedFrame
from spam_model.detectors.base import CandidateSource, Progress, join_candidates
from spam_model.errors import InputError
from spam_model.labeler import Labeler
from spam_model.values import Candidates, ClipInfo, Constraints, LabelResult
from spam_model.wire import decode_image


class LocalBackend:
    """A ``Backend`` of a candidate source and a labeler."""

    def __init__(self, source: CandidateSource, labeler: Labeler) -> None:
        self._source = source
        self._labeler = labeler

    def describe(self) -> BackendDescription:
        return BackendDescription("local", self._source.device, self._labeler.version, self._source.name)

    def candidates(
        self, info: ClipInfo, frames: Iterable[EncodedFrame], progress: Progress | None = None
    ) -> Candidates:
        return source_candidates(self._source, info, frames, progress)

    def label(self, candidates: Candidates, constraints: Constraints) -> LabelResult:
        return self._labeler.label(candidates, constraints)


def source_candidates(
    source: CandidateSource, info: ClipInfo, frames: Iterable[EncodedFrame], progress: Progress | None
) -> Candidates:
    """The source's candidates of these frames, decoded a batch at a time; raises as ``Backend.candidates`` does."""
    parts = []
    for batch in batches(frames):
        images = [decode_image(image, number, info) for number, image in batch]
        parts.append(source.detect_frames(images, [number for number, _ in batch], info))
        if progress is not None:
            progress(len(batch))
    if not parts:
        raise InputError(f"{info.name!r} has no frame to look at")
    return join_candidates(parts)
