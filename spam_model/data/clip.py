"""Frames of a video, an image folder or a MOTChallenge sequence folder, by number and exact.

Two things that video libraries do not promise are seen to here. The frame count is what decodes, not what the
container says; and frame k read at random is frame k read in order: a seek is believed only when it lands on the time
stamp that frame k had when the file was read from its start, otherwise the file is decoded from its start again.
"""

from __future__ import annotations

import logging
import math
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from spam_model.data.motchallenge import find_sequence, read_sequence_info
from spam_model.errors import InputError, VideoError
from spam_model.values import ClipInfo

Image = NDArray[np.uint8]  # [H, W, 3], BGR

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
DEFAULT_FRAME_RATE = 25.0  # frames/s, where nothing says it

_CACHED_FRAMES = 16
_NEAR = 48  # frames: as far ahead, decoding on is no slower than a seek
_LOG = logging.getLogger(__name__)


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


class _Reader(Protocol):
    """Decodes; knows nothing of caches or names. ``frame_rate`` is 0 where the file does not say it."""

    frame_count: int
    frame_rate: float
    size: tuple[int, int]

    def read(self, index: int) -> Image: ...


class Clip:
    """A ``FrameSource`` over files. Not safe for use by two threads at once."""

    def __init__(self, info: ClipInfo, reader: _Reader) -> None:
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
            return cls._over(path.stem, _VideoReader(path), frame_rate)
        sequence = find_sequence(path)
        if sequence.video is not None:
            reader: _Reader = _VideoReader(sequence.video)
        else:
            reader = _ImageReader(sequence.images or path)
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
    def _over(cls, name: str, reader: _Reader, frame_rate: float | None) -> Clip:
        rate = frame_rate or reader.frame_rate
        if not rate:
            rate = DEFAULT_FRAME_RATE
            _LOG.warning("%s: nothing says the frame rate; taking %g frames/s", name, rate)
        width, height = reader.size
        return cls(ClipInfo(name, reader.frame_count, rate, width, height), reader)

    @property
    def info(self) -> ClipInfo:
        return self._info

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
        if len(self._cache) > _CACHED_FRAMES:
            self._cache.popitem(last=False)
        return image

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Image]]:
        """(index, image) of frames start … stop - 1, decoded one at a time."""
        for index in range(start, self._info.frame_count if stop is None else stop):
            yield index, self.frame(index)


class _ImageReader:
    frame_rate = 0.0

    def __init__(self, folder: Path) -> None:
        self._paths = sorted((p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES), key=_natural_key)
        if not self._paths:
            raise VideoError(
                f"{folder}: neither a video nor an image here; give a video file, a folder of images, "
                "or a sequence folder with video.* or img1/"
            )
        self.frame_count = len(self._paths)
        height, width = self.read(0).shape[:2]
        self.size = (width, height)

    def read(self, index: int) -> Image:
        path = self._paths[index]
        try:
            image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:  # an empty file
            image = None
        if image is None:
            raise VideoError(f"{path}: does not decode as an image; replace or remove it")
        return np.asarray(image, np.uint8)


class _VideoReader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._capture = self._opened()
        promised = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        first = self._capture.read()[1]
        if first is None:
            raise self._unreadable()
        self.size = (first.shape[1], first.shape[0])
        times = [self._capture.get(cv2.CAP_PROP_POS_MSEC)]
        while self._capture.grab():
            times.append(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        self._times = np.array(times)  # [T], ms
        self.frame_count = len(times)
        if promised > self.frame_count:
            _LOG.warning(
                "%s: decodes %d of the %d frames that its container promises; the clip is what decodes",
                path,
                self.frame_count,
                promised,
            )
        self.frame_rate = self._rate()
        self._can_seek = bool((np.diff(self._times) > 0).all())  # else a time stamp does not name a frame
        self._rewind()

    def read(self, index: int) -> Image:
        if not self._next <= index <= self._next + _NEAR:
            self._approach(index)
        while self._next < index:
            self._grab(index)
        self._grab(index)
        image = self._capture.retrieve()[1]
        if image is None:
            raise VideoError(f"{self._path}: frame {index} decoded before and does not any more; check the disk")
        return np.asarray(image, np.uint8)

    def _grab(self, wanted: int) -> None:
        if not self._capture.grab():
            raise VideoError(f"{self._path}: frame {wanted} decoded before and does not any more; check the disk")
        self._next += 1

    def _approach(self, index: int) -> None:
        """Seeks to just before ``index`` where a seek is exact; else sees to it that decoding on arrives there."""
        if self._can_seek and index > 0:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, index - 1)
            if self._capture.grab() and self._capture.get(cv2.CAP_PROP_POS_MSEC) == self._times[index - 1]:
                self._next = index
                return
            self._can_seek = False
            self._rewind()
        elif index < self._next:
            self._rewind()

    def _rewind(self) -> None:
        self._capture.release()
        self._capture = self._opened()
        self._next = 0

    def _opened(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise self._unreadable()
        return capture

    def _rate(self) -> float:
        """The container's rate where it is one of a camera, else the mean over the time stamps; 0 for neither."""
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        if math.isfinite(rate) and 1 <= rate <= 240:
            return float(rate)
        seconds = (self._times[-1] - self._times[0]) / 1000
        return float((self.frame_count - 1) / seconds) if seconds > 0 else 0.0

    def _unreadable(self) -> VideoError:
        return VideoError(
            f"{self._path}: no frame of it decodes as video; check that the file is complete, or convert it "
            f"(ffmpeg -i {self._path.name} -c:v libx264 -pix_fmt yuv420p out.mp4)"
        )


def _natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """``9.jpg`` before ``10.jpg``."""
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts], path.name
