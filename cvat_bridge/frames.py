"""Frame numbers and frames of a CVAT task: one module, one truth.

The model's frame i is the task's frame i (0 … size - 1), which is what annotations refer to whatever start, stop and
step the task was made with. Deleted frames keep their number and are never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from cvat_bridge.server import CvatReader
from spam_model.errors import InputError, VideoError
from spam_model.values import ClipInfo

READ_AHEAD = 8  # frames in flight
CACHED_FRAMES = 64
Image = NDArray[np.uint8]


class TaskFrames:
    """The frames of a task as a frame source: ``info``, ``frame``, ``frames``, and the encoded bytes for a function."""

    def __init__(self, reader: CvatReader, task_id: int, frame_rate: float, class_names: tuple[str, ...]) -> None:
        task = reader.task(task_id)
        if task.size < 1:  # asked for the frames of such a task, CVAT answers 500
            raise InputError(f"task {task_id} has no frames yet: wait until CVAT has processed its data")
        meta = reader.data_meta(task_id)
        sizes = {(frame.width, frame.height) for frame in meta.frames}
        if len(sizes) > 1:
            raise InputError(f"task {task_id} mixes images of different sizes; tracks need one size: split the task")
        width, height = sizes.pop()
        self._reader = reader
        self._task_id = task_id
        self.deleted = frozenset(meta.deleted_frames)
        self.info = ClipInfo(
            name=task.name,
            frame_count=task.size,
            frame_rate=frame_rate,
            width=width,
            height=height,
            class_names=class_names,
        )
        self._cached = lru_cache(CACHED_FRAMES)(self._decode)

    def numbers(self) -> list[int]:
        """The frames that are not deleted."""
        return [number for number in range(self.info.frame_count) if number not in self.deleted]

    def frame(self, number: int) -> Image:
        """[H, W, 3] BGR.

        Raises:
            VideoError: what CVAT sends for this frame cannot be decoded.
        """
        return self._cached(number)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Image]]:
        """(number, image) of the frames start … stop - 1 that are not deleted."""
        for number in self.numbers():
            if start <= number < (self.info.frame_count if stop is None else stop):
                yield number, self.frame(number)

    def encoded_frames(self, numbers: list[int]) -> Iterator[tuple[int, bytes]]:
        """(number, encoded image) in order, a few read ahead; memory holds no more than those."""
        with ThreadPoolExecutor(READ_AHEAD) as pool:
            ahead = [pool.submit(self._encoded, number) for number in numbers[:READ_AHEAD]]
            for position, number in enumerate(numbers):
                body = ahead.pop(0).result()
                if position + READ_AHEAD < len(numbers):
                    ahead.append(pool.submit(self._encoded, numbers[position + READ_AHEAD]))
                yield number, body

    def _encoded(self, number: int) -> bytes:
        return self._reader.frame(self._task_id, number)

    def _decode(self, number: int) -> Image:
        image = cv2.imdecode(np.frombuffer(self._encoded(number), np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise VideoError(
                f"frame {number} of task {self._task_id} cannot be decoded; delete it in CVAT, or re-upload"
            )
        return np.asarray(image, dtype=np.uint8)
