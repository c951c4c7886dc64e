"""Frames of a video, an image folder or a MOTChallenge sequence folder, by number and exact."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from spam_model.data.frames import FrameReader, FrameSource, Image
from spam_model.data.image_reader import IMAGE_SUFFIXES, ImageReader
from spam_model.data.motchallenge import find_sequence, read_sequence_info
from spam_model.data.video_reader import VideoReader
from spam_model.errors import InputError, VideoError
from spam_model.values import ClipInfo
from spam_model.values.candidates import FloatArray

__all__ = ["IMAGE_SUFFIXES", "Clip", "FrameSource", "Image"]

DEFAULT_FRAME_RATE = 25.0  # frames/s, where nothing says it

_CACHED_FRAMES = 16
_CACHED_BYTES = 256 * 2**20
_LOG = logging.getLogger(__name__)


class Clip:
    """A ``FrameSource`` over files. Not safe for use by two threads at once."""

    def __init__(self, info: ClipInfo, reader: FrameReader) -> None:
        self._info = info
        self._reader = reader
        self._cache: OrderedDict[int, Image] = OrderedDict()

    @classmethod
    def open(cls, path: Path | str, *, frame_rate: float | None = None) -> Clip:
        """Opens a video file, a folder of images, or a sequence folder with ``video.*`` or ``img1/``.

        Args:
            path: the file or folder.
            frame_rate: frames/s, overrides what the files say; needed for images without ``seqinfo.ini``.

        Raises:
            InputError: there is nothing at ``path``.
            VideoError: what is there has no frame that decodes.
        """
        path = Path(path)
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        if path.is_file():
            return cls._over(path.stem, VideoReader(path), frame_rate)
        sequence = find_sequence(path)
        if sequence.video is not None:
            reader: FrameReader = VideoReader(sequence.video)
        else:
            reader = ImageReader(sequence.images or path)
        if sequence.info_file is None:
            return cls._over(path.resolve().name, reader, frame_rate)
        said = read_sequence_info(path)
        if said.frame_count != reader.frame_count:
            _LOG.warning(
                "%s: seqinfo.ini says %d frames, %d are there; using these",
                path,
                said.frame_count,
                reader.frame_count,
            )
        clip = cls._over(said.name, reader, frame_rate or said.frame_rate)
        clip._info = replace(clip._info, class_names=said.class_names)
        return clip

    @classmethod
    def _over(cls, name: str, reader: FrameReader, frame_rate: float | None) -> Clip:
        rate = frame_rate or reader.frame_rate
        if not rate:
            rate = DEFAULT_FRAME_RATE
            _LOG.warning("%s: nothing says the frame rate; taking %g frames/s", name, rate)
        width, height = reader.size
        return cls(ClipInfo(name, reader.frame_count, rate, width, height), reader)

    @property
    def info(self) -> ClipInfo:
        return self._info

    @property
    def times(self) -> FloatArray:
        """[F] s, when each frame was taken after the first: by the video's time stamps, else by the frame rate."""
        if self._reader.times is not None:
            return self._reader.times
        return np.arange(self._info.frame_count) / self._info.frame_rate

    def frame(self, index: int) -> Image:
        """Frame ``index`` (0-based) as [H, W, 3] uint8 BGR, read-only: copy it to draw on it.

        Raises:
            InputError: the clip has no such frame.
            VideoError: it does not decode, or differs in size from the first.
        """
        if not 0 <= index < self._info.frame_count:
            raise InputError(f"{self._info.name} has frames 0…{self._info.frame_count - 1}, not {index}")
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        image = self._reader.read(index)
        height, width = image.shape[:2]
        if (width, height) != (self._info.width, self._info.height):
            raise VideoError(
                f"{self._info.name}: frame {index} is {width}×{height} px, the first is "
                f"{self._info.width}×{self._info.height}; bring all frames to one size"
            )
        image.flags.writeable = False
        self._cache[index] = image
        if len(self._cache) > max(1, min(_CACHED_FRAMES, _CACHED_BYTES // image.nbytes)):
            self._cache.popitem(last=False)
        return image

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Image]]:
        """(index, image) of frames start … stop - 1, decoded one at a time."""
        for index in range(start, self._info.frame_count if stop is None else stop):
            yield index, self.frame(index)
