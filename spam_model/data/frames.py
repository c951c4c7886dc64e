"""What frames are, and who has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spam_model.values import ClipInfo
from spam_model.values.candidates import FloatArray

Image = NDArray[np.uint8]  # [H, W, 3], BGR


class FrameSource(Protocol):
    """Anything that has frames: a clip on disk, a task in CVAT."""

    @property
    def info(self) -> ClipInfo: ...

    def frame(self, index: int) -> Image:
        """Frame ``index`` (0-based) as [H, W, 3] uint8 BGR, read-only."""
        ...

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Image]]:
        """(index, image) of frames start … stop - 1, one at a time."""
        ...


class FrameReader(Protocol):
    """Decodes frames by number; knows nothing of caches or names.

    Attributes:
        frame_count: how many decode.
        frame_rate: frames/s; 0 where the file does not say it.
        size: width and height in px.
        times: [F] s since the first frame, ascending; None where the file does not say it.
    """

    frame_count: int
    frame_rate: float
    size: tuple[int, int]
    times: FloatArray | None

    def read(self, index: int) -> Image: ...
