"""Frames and chunks out of the stored files."""

import io
import json
import mimetypes
import shutil
import sqlite3
import tempfile
import threading
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cvat_bridge.embedded.server.media import files_of

Image = npt.NDArray[np.uint8]  # [height, width, 3], BGR
_OPEN_VIDEOS = 8
_READ_ON = 64  # frames ahead that are decoded on rather than sought
_ORIGINAL_JPEG, _PREVIEW_WIDTH, _FPS = 95, 256, 25


@dataclass(frozen=True)
class Encoded:
    content: bytes
    content_type: str


class VideoReader:
    """Exact random access: after a seek the timestamp must be that of the wanted frame, else it is counted from 0."""

    def __init__(self, path: Path, timestamps: list[float]) -> None:
        self._path = path
        self._timestamps = timestamps
        self._lock = threading.Lock()
        self._capture = cv2.VideoCapture(str(path))
        self._next = 0

    def read(self, number: int) -> Image:
        with self._lock:
            if not self._next <= number <= self._next + _READ_ON:
                self._seek(number)
            while self._next < number:
                self._grab()
            self._grab()
            found, image = self._capture.retrieve()
        if not found:
            raise OSError(f"frame {number} of {self._path.name} cannot be decoded")
        return np.asarray(image, dtype=np.uint8)

    def _grab(self) -> None:
        if not self._capture.grab():
            raise OSError(f"frame {self._next} of {self._path.name} cannot be read")
        self._next += 1

    def _seek(self, number: int) -> None:
        """To the frame before it, whose timestamp tells whether the seek can be trusted."""
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, number - 1)
        if number > 0 and self._capture.grab() and self._is_at(number - 1):
            self._next = number
        else:
            self._restart()

    def _is_at(self, number: int) -> bool:
        found = float(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        return abs(found - self._timestamps[number]) < 0.5

    def _restart(self) -> None:
        self._capture.release()
        self._capture = cv2.VideoCapture(str(self._path))
        self._next = 0

    def close(self) -> None:
        with self._lock:
            self._capture.release()


class FrameStore:
    """The media folder: one folder a task, with the files as they were uploaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._videos: OrderedDict[int, VideoReader] = OrderedDict()

    def remove(self, *task_ids: int) -> None:
        for task_id in task_ids:
            with self._lock:
                video = self._videos.pop(task_id, None)
            if video is not None:
                video.close()
            shutil.rmtree(self._folder / str(task_id), ignore_errors=True)

    def frame(self, media: sqlite3.Row, number: int, original: bool) -> Encoded:
        """A video gives PNG in both qualities, an image its own bytes or a JPEG: so does CVAT."""
        if media["kind"] == "video":
            return Encoded(_encode(".png", self._image(media, number)), "image/png")
        path = self._image_path(media, number)
        if original:
            return Encoded(path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream")
        return Encoded(_encode(".jpg", self._image(media, number), media["image_quality"]), "image/jpeg")

    def preview(self, media: sqlite3.Row, number: int) -> Encoded:
        image = self._image(media, number)
        height, width = image.shape[:2]
        scale = min(1.0, _PREVIEW_WIDTH / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return Encoded(_encode(".jpg", small, _ORIGINAL_JPEG), "image/jpeg")

    def chunk(self, media: sqlite3.Row, numbers: range, original: bool) -> Encoded:
        if media["kind"] == "video":
            return Encoded(self._video_chunk(media, numbers), "video/mp4")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for place, number in enumerate(numbers):
                suffix = self._image_path(media, number).suffix if original else ".jpeg"
                archive.writestr(f"{place:06d}{suffix}", self.frame(media, number, original).content)
        return Encoded(packed.getvalue(), "application/zip")

    def _video_chunk(self, media: sqlite3.Row, numbers: range) -> bytes:
        height, width = self._image(media, numbers[0]).shape[:2]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chunk.mp4"
            fourcc = cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(path), fourcc, _FPS, (width, height))
            for number in numbers:
                writer.write(self._image(media, number))
            writer.release()
            return path.read_bytes()

    def _image_path(self, media: sqlite3.Row, number: int) -> Path:
        return self._folder / str(media["task_id"]) / files_of(media["files"])[number].name

    def _image(self, media: sqlite3.Row, number: int) -> Image:
        if media["kind"] == "video":
            return self._video(media).read(media["start_frame"] + number * media["step"])
        image: Any = cv2.imread(str(self._image_path(media, number)))
        if image is None:
            raise OSError(f"frame {number} of task {media['task_id']} cannot be read")
        return np.asarray(image, dtype=np.uint8)

    def _video(self, media: sqlite3.Row) -> VideoReader:
        task_id = int(media["task_id"])
        with self._lock:
            if task_id not in self._videos:
                path = self._folder / str(task_id) / files_of(media["files"])[0].name
                self._videos[task_id] = VideoReader(path, json.loads(media["timestamps"]))
            self._videos.move_to_end(task_id)
            while len(self._videos) > _OPEN_VIDEOS:
                self._videos.popitem(last=False)  # closed when its last reader is through
            return self._videos[task_id]


def _encode(suffix: str, image: Image, quality: int = 0) -> bytes:
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, content = cv2.imencode(suffix, image, options)
    if not done:
        raise OSError(f"an image of shape {image.shape} cannot be encoded as {suffix}")
    return bytes(content)
