"""What the bridge asks of the model, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from spam_model.detectors.base import Progress
from spam_model.values import Candidates, ClipInfo, Constraints, LabelResult

EncodedFrame = tuple[int, bytes]  # 0-based frame number, image as CVAT gives it (PNG, JPEG …)


@dataclass(frozen=True)
class BackendDescription:
    """``kind`` is ``local`` or ``remote``; ``device`` is where the detector runs."""

    kind: str
    device: str
    model_version: str
    detector: str


class Backend(Protocol):
    """Both backends give equal results for equal input, detector and weights."""

    def describe(self) -> BackendDescription:
        """
        Raises:
            BackendError: it is not reachable.
        """
        ...

    def candidates(
        self, info: ClipInfo, frames: Iterable[EncodedFrame], progress: Progress | None = None
    ) -> Candidates:
        """Candidates of all these frames. ``frames`` is read as it is needed; ``progress`` hears of frames done.

        Raises:
            InputError: there is no frame, or one that cannot be sent.
            VideoError: an image does not decode, or differs in size from the clip.
            BackendError: the function failed or is not reachable.
        """
        ...

    def label(self, candidates: Candidates, constraints: Constraints) -> LabelResult:
        """Runs the graph hierarchy under these constraints.

        Raises:
            BackendError: the function failed, is not reachable, or the graph is too large to be sent.
        """
        ...
