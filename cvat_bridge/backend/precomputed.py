"""Candidates that are known beforehand, from a file or simulated; only the graph goes to the model's backend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cvat_bridge.backend.local import source_candidates
from cvat_bridge.backend.protocol import Backend, BackendDescription, EncodedFrame
from spam_model.detectors.base import CandidateSource, Progress
from spam_model.values import Candidates, ClipInfo, Constraints, LabelResult


class PrecomputedBackend:
    """A ``Backend`` that takes candidates from ``source``, here, and labels from another backend."""

    def __init__(self, source: CandidateSource, labels: Backend) -> None:
        self._source = source
        self._labels = labels

    def describe(self) -> BackendDescription:
        return replace(self._labels.describe(), detector=self._source.name)

    def candidates(
        self, info: ClipInfo, frames: Iterable[EncodedFrame], progress: Progress | None = None
    ) -> Candidates:
        return source_candidates(self._source, info, frames, progress)

    def label(self, candidates: Candidates, constraints: Constraints) -> LabelResult:
        return self._labels.label(candidates, constraints)
