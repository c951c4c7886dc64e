"""Frames of a video file by number, exact, decoded by OpenCV's FFmpeg.

Frame k is the k-th that decodes when the file is read from its start, turned as its display matrix says: so CVAT counts
and turns frames too. Three things that OpenCV does not promise are seen to here. The frame count is what decodes, not
what the container says. A packet that does not decode ends nothing: OpenCV gives up there, and is asked to go on. And
a seek, which OpenCV takes by frame rate and thus astray where the rate varies, is told by the time stamp of the frame
that it lands on; where time stamps do not name frames, the file is decoded from its start again.
"""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path

import cv2
import numpy as np

from spam_model.data.frames import Image
from spam_model.errors import VideoError

_NEAR = 48  # frames: as far ahead, decoding on is no slower than a seek
_BROKEN_PACKETS = 2000  # in a row; at the end of the file as many vain attempts take ten milliseconds
_SEEKS = 4  # until one lands early enough
_MARGIN = 8  # frames that the next seek aims earlier, besides twice what the last was late
_RATES = (1, 240)  # frames/s that a camera has
_ROUNDING = 0.0015  # s, of time stamps
_MOST = 0.9  # of the steps, where the rate does not vary; frames that are missing make longer ones
_LOG = logging.getLogger(__name__)

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "8")  # only what is fatal: what is broken is said here, once


class VideoReader:
    """See ``FrameReader``. Opening reads the whole file once, about as fast as it can be decoded."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            VideoError: no frame decodes.
        """
        self._path = path
        self._next = 0  # frame that decodes next
        self._rewind()
        promised = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        stamps, broken = [], 0
        while (skipped := self._grab()) is not None:
            broken += skipped
            stamps.append(self._stamp())
            if len(stamps) == 1:
                first = self._capture.retrieve()[1]
        if not stamps or first is None:
            raise self._unreadable()
        self.size = (first.shape[1], first.shape[0])
        self.frame_count = len(stamps)
        self._stamps = np.array(stamps)  # [F], ms
        ascending = bool((np.diff(self._stamps) > 0).all())
        self.times = (self._stamps - self._stamps[0]) / 1000 if ascending else None  # [F], s
        self._container_rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.frame_rate = self._rate()
        missing = promised > self.frame_count and self.frame_rate == self._container_rate  # else it is a guess
        self._can_seek = ascending and not broken and not missing  # frames after a fault depend on the way to them
        if broken:
            _LOG.warning("%s: %d broken packets; the clip is the %d frames that decode", path, broken, len(stamps))
        elif missing:
            _LOG.warning(
                "%s: decodes %d of the %d frames that its container promises; the clip is what decodes",
                path,
                self.frame_count,
                promised,
            )
        self._rewind()

    def read(self, index: int) -> Image:
        """
        Raises:
            VideoError: the file has changed since it was opened, or its disk fails.
        """
        if not self._next <= index <= self._next + _NEAR:
            self._approach(index)
        while self._next <= index:
            if self._grab() is None:
                raise self._lost(index)
            self._next += 1
        image = self._capture.retrieve()[1]
        if image is None:
            raise self._lost(index)
        return np.asarray(image, np.uint8)

    def _approach(self, index: int) -> None:
        """Goes to ``index`` or a frame before it."""
        if not self._can_seek or index <= _NEAR:
            if index < self._next:
                self._rewind()
            return
        aim = index - 1
        for _ in range(_SEEKS):
            landed = self._seek(max(aim, 0))
            if landed is None:
                self._can_seek = False
                break
            if landed <= index:
                self._next = landed + 1
                return
            aim -= 2 * (landed - index) + _MARGIN
        self._rewind()

    def _seek(self, index: int) -> int | None:
        """Aims at a frame; the one it landed on, None where its time stamp is that of no frame."""
        seconds = (self._stamps[index] - self._stamps[0]) / 1000
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, round(seconds * self._container_rate))
        if not self._capture.grab():
            return self.frame_count  # behind the last
        landed = int(np.searchsorted(self._stamps, self._stamp()))
        return landed if landed < self.frame_count and self._stamps[landed] == self._stamp() else None

    def _grab(self) -> int | None:
        """Decodes the next frame; how many broken packets were passed over, None at the end."""
        for broken in range(_BROKEN_PACKETS):
            if self._capture.grab():
                return broken
        return None

    def _stamp(self) -> float:
        """Of the last decoded frame, ms."""
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC))

    def _rewind(self) -> None:
        self._capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise self._unreadable()
        self._next = 0

    def _rate(self) -> float:
        """The container's where it is that of a camera and of most steps in time, else the mean; 0 for neither."""
        said = self._container_rate
        plausible = math.isfinite(said) and _RATES[0] <= said <= _RATES[1]
        if self.times is None or self.frame_count == 1:
            return said if plausible else 0.0
        if plausible and np.mean(np.abs(np.diff(self.times) - 1 / said) < _ROUNDING) > _MOST:
            return said
        return float((self.frame_count - 1) / self.times[-1])

    def _lost(self, index: int) -> VideoError:
        return VideoError(f"{self._path}: frame {index} decoded before and does not any more; check the disk")

    def _unreadable(self) -> VideoError:
        return VideoError(
            f"{self._path}: no frame of it decodes as video; check that the file is complete, or convert it "
            f"(ffmpeg -i {self._path.name} -c:v libx264 -pix_fmt yuv420p out.mp4)"
        )
