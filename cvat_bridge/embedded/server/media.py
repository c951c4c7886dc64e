"""Uploaded files become the frames of a task: what they are, how many frames they give, which job gets which."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_VIDEO_CHUNK, _LARGEST_IMAGE_CHUNK, _CHUNK_PIXELS = 36, 72, 36 * 1920 * 1080
_VIDEO_OVERLAP = 5  # CVAT's default when a video task says nothing


class MediaError(Exception):
    """Why data creation failed; its text is the message of the polled request."""


@dataclass(frozen=True)
class DataOptions:
    """What a client asks for in the call that finishes an upload."""

    image_quality: int
    chunk_size: int | None
    start_frame: int
    stop_frame: int | None
    frame_filter: str
    sorting_method: str | None
    upload_file_order: tuple[str, ...]
    job_file_mapping: tuple[tuple[str, ...], ...] | None

    @property
    def step(self) -> int:
        return int(self.frame_filter.partition("=")[2] or 1)


@dataclass(frozen=True)
class MediaFile:
    name: str
    width: int
    height: int


@dataclass(frozen=True)
class Media:
    """The frames of a task. ``timestamps`` (ms, videos only) belong to all frames of the source, chosen or not."""

    kind: str  # "video" or "images"
    files: tuple[MediaFile, ...]
    source_size: int
    timestamps: tuple[float, ...] = ()


@dataclass(frozen=True)
class Segments:
    """The jobs of a task as first and last frame, and the sizes that CVAT then shows at the task."""

    bounds: tuple[tuple[int, int], ...]
    segment_size: int
    overlap: int


def read_media(folder: Path, options: DataOptions) -> Media:
    names = sorted(path.name for path in folder.iterdir())
    suffixes = {Path(name).suffix.lower() for name in names}
    if len(names) == 1 and suffixes <= VIDEO_SUFFIXES:
        return _read_video(folder / names[0])
    if names and suffixes <= IMAGE_SUFFIXES:
        ordered = _ordered(names, options)
        return Media("images", tuple(_read_image(folder / name) for name in ordered), len(ordered))
    if suffixes <= VIDEO_SUFFIXES | IMAGE_SUFFIXES and names:
        raise MediaError("one video or a set of images is expected, not a mixture")
    raise MediaError(f"No media data found ({', '.join(sorted(suffixes)) or 'no files'})")


def _read_video(path: Path) -> Media:
    """Decodes all of it once: neither a container's frame count nor seeking by number can be trusted."""
    capture = cv2.VideoCapture(str(path))
    timestamps = []
    while capture.grab():
        timestamps.append(float(capture.get(cv2.CAP_PROP_POS_MSEC)))
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    capture.release()
    if not timestamps:
        raise MediaError(f"{path.name} cannot be decoded as a video")
    return Media("video", (MediaFile(path.name, width, height),), len(timestamps), tuple(timestamps))


def _read_image(path: Path) -> MediaFile:
    image = cv2.imread(str(path))
    if image is None:
        raise MediaError(f"{path.name} cannot be decoded as an image")
    return MediaFile(path.name, image.shape[1], image.shape[0])


def _natural(name: str) -> list[Any]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _ordered(names: list[str], options: DataOptions) -> list[str]:
    if options.job_file_mapping is not None:
        mapped = [name for files in options.job_file_mapping for name in files]
        for name in mapped:
            if name not in names:
                raise MediaError(f"Can't find file '{name}' in the input files")
        return mapped
    if options.sorting_method == "predefined":
        if sorted(options.upload_file_order) != names:
            raise MediaError("upload_file_order does not name exactly the uploaded files")
        return list(options.upload_file_order)
    return sorted(names, key=_natural) if options.sorting_method == "natural" else names


def chosen_frames(media: Media, options: DataOptions) -> range:
    """Numbers of the source that become frames of the task."""
    stop = media.source_size - 1 if options.stop_frame is None else min(options.stop_frame, media.source_size - 1)
    chosen = range(options.start_frame, stop + 1, options.step)
    if not chosen:
        raise MediaError(f"start_frame {options.start_frame}, stop_frame {stop}: no frame left of {media.source_size}")
    return chosen


def chunk_size(media: Media, options: DataOptions) -> int:
    if options.chunk_size is not None:
        return options.chunk_size
    if media.kind == "video":
        return _VIDEO_CHUNK
    pixels = media.files[0].width * media.files[0].height
    return max(2, min(_LARGEST_IMAGE_CHUNK, _CHUNK_PIXELS // pixels))


def segments(media: Media, options: DataOptions, size: int, segment_size: int, overlap: int | None) -> Segments:
    if options.job_file_mapping is not None:
        return _mapped_segments(options.job_file_mapping, options.sorting_method, segment_size)
    whole = segment_size == 0 or segment_size > size
    length = size if whole else segment_size
    wanted = (_VIDEO_OVERLAP if media.kind == "video" else 0) if overlap is None else overlap
    shared = min(wanted, length // 2)
    starts = range(0, size, size if whole else length - shared)
    bounds = tuple((start, min(start + length, size) - 1) for start in starts)
    return Segments(bounds, length, shared)


def _mapped_segments(mapping: Sequence[Sequence[str]], sorting_method: str | None, segment_size: int) -> Segments:
    if sorting_method is not None:
        raise MediaError("job_file_mapping cannot be used with sorting_method")
    if segment_size:
        raise MediaError("job_file_mapping cannot be used with segment_size")
    bounds, start = [], 0
    for files in mapping:
        bounds.append((start, start + len(files) - 1))
        start += len(files)
    return Segments(tuple(bounds), 0, 0)


def files_json(files: Sequence[MediaFile]) -> str:
    return json.dumps([[file.name, file.width, file.height] for file in files])


def files_of(text: str) -> list[MediaFile]:
    return [MediaFile(*entry) for entry in json.loads(text)]
