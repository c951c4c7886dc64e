"""A clip without a video: every frame can be told from every other, and every place from every other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from spam_model.data.clip import Image
from spam_model.values import Anchor, Box, ClipInfo, Labels


class PaintedFrames:
    """A ``FrameSource``: blue grows with x, green with y, red is 3 · frame, modulo 256."""

    def __init__(self, info: ClipInfo) -> None:
        self.info = info

    @cached_property
    def _ramp(self) -> Image:
        y, x = np.mgrid[: self.info.height, : self.info.width]
        return np.stack([x * 255 // self.info.width, y * 255 // self.info.height, x * 0], axis=-1).astype(np.uint8)

    def frame(self, index: int) -> Image:
        assert 0 <= index < self.info.frame_count
        image = self._ramp.copy()
        image[..., 2] = 3 * index % 256
        image.flags.writeable = False
        return image

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Image]]:
        for index in range(start, self.info.frame_count if stop is None else stop):
            yield index, self.frame(index)


def tracklet(first_id: int, first_frame: int, box: Box, count: int = 1, step: float = 4.0) -> tuple[Anchor, ...]:
    """``count`` anchors on consecutive frames, ``step`` px to the right each time."""
    x1, y1, x2, y2 = box
    return tuple(Anchor(first_id + k, first_frame + k, (x1 + k * step, y1, x2 + k * step, y2), 0) for k in range(count))


def labels_of(info: ClipInfo, tracks: list[tuple[Anchor, ...]], uncertainty: float = 0.1) -> Labels:
    """One track, numbered from 1, for each tracklet."""
    anchors = [anchor for track in tracks for anchor in track]
    return Labels.build(
        info,
        np.repeat(np.arange(1, len(tracks) + 1), [len(track) for track in tracks]),
        np.array([anchor.frame for anchor in anchors], np.int64),
        np.array([anchor.box for anchor in anchors], np.float64),
        candidate_id=np.array([anchor.candidate_id for anchor in anchors], np.int64),
        uncertainty=np.full(len(anchors), uncertainty),
    )
