"""A clip that is opened only when a frame of it is needed: opening a video decodes it once, to count its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from spam_model.data.frames import FrameSource, Image
from spam_model.values import ClipInfo


class LazyClip:
    """A ``FrameSource``."""

    def __init__(self, open_clip: Callable[[], FrameSource], info: ClipInfo | None) -> None:
        """Args: ``info``, where it is known from an earlier time; else asking for it opens the clip."""
        self._open = open_clip
        self._info = info

    @cached_property
    def _clip(self) -> FrameSource:
        return self._open()

    @property
    def info(self) -> ClipInfo:
        return self._info if self._info is not None else self._clip.info

    def frame(self, index: int) -> Image:
        return self._clip.frame(index)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Image]]:
        return self._clip.frames(start, stop)
