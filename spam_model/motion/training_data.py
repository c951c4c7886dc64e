"""Frame pairs to learn motion from: videos with ground truth, and single images moved about (SiamMOT, Sec. 4.2).

The detector is frozen, so its feature maps are computed once, in half precision, into a file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from tqdm import tqdm

from spam_model.data.clip import Clip, Image
from spam_model.data.inputs import read_truth
from spam_model.data.motchallenge import find_sequence
from spam_model.data.rendered import render_clip
from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.errors import FormatError, InputError
from spam_model.geometry import area, clip_to_image
from spam_model.values.candidates import FloatArray, IntArray

RENDERED = "rendered"
# seed, frames/s, people, width, height of the clips that "rendered" stands for
RENDERED_CLIPS = (
    (101, 10.0, 14, 640, 360),
    (102, 25.0, 10, 640, 480),
    (103, 7.0, 16, 768, 576),
    (104, 15.0, 14, 640, 360),
    (105, 12.5, 14, 960, 540),
    (106, 25.0, 12, 640, 360),
)
RENDERED_FRAMES = 80
LEAST_SIDE = 12.0  # px; smaller boxes show nothing
COVERED = 0.15  # share of the moved images in which an object is covered by something else


class FeatureDetector(Protocol):
    """What the motion model needs of a joint detector."""

    @property
    def name(self) -> str: ...

    @property
    def strides(self) -> tuple[int, ...]: ...

    @property
    def channels(self) -> tuple[int, ...]: ...

    def features(self, images: Sequence[Image]) -> FeatureMaps: ...


@dataclass(frozen=True)
class TrainingFrame:
    """One frame: its place in the bank, box [n, 4] px, track [n], visibility [n] in 0 … 1, size (width, height)."""

    index: int
    box: FloatArray
    track: IntArray
    visibility: FloatArray
    size: tuple[int, int]


@dataclass(frozen=True)
class TrainingSequence:
    """Frames of one video in order, or an image and its moved copy."""

    name: str
    frames: tuple[TrainingFrame, ...]


class FeatureBank:
    """Feature maps of all training frames, float16, one after the other in one file."""

    def __init__(self, path: Path, detector: FeatureDetector) -> None:
        """``path``: the file, made anew.

        Raises:
            InputError: it cannot be written.
        """
        self._path, self._detector = path, detector
        self._entries: list[tuple[int, tuple[tuple[int, ...], ...], FloatArray]] = []  # offset, shapes, scale
        self._end = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror or error}; give another --cache") from error

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, image: Image) -> int:
        """Computes and stores the maps of an image; returns its place."""
        maps = self._detector.features([image])
        arrays = [np.ascontiguousarray(each[0].to(torch.float16).cpu().numpy()) for each in maps.maps]
        shapes = tuple(array.shape for array in arrays)
        with self._path.open("ab") as file:
            for array in arrays:
                file.write(array.tobytes())
        self._entries.append((self._end, shapes, maps.scale.cpu().numpy()))
        self._end += sum(array.nbytes for array in arrays)
        return len(self._entries) - 1

    def maps(self, place: int) -> FeatureMaps:
        """The maps of one frame, float32, B = 1."""
        offset, shapes, scale = self._entries[place]
        levels = []
        for shape in shapes:
            stored = np.memmap(self._path, np.float16, "r", offset=offset, shape=shape)
            levels.append(torch.from_numpy(stored.astype(np.float32))[None])
            offset += stored.nbytes
        return FeatureMaps(tuple(levels), self._detector.strides, torch.from_numpy(scale))


def read_training_data(
    data: Sequence[str], detector: FeatureDetector, cache: Path, *, seed: int = 0, images: int = 60
) -> tuple[list[TrainingSequence], FeatureBank]:
    """All sequences of ``data``, and their feature maps in a file in the folder ``cache``.

    Args:
        data: ``rendered``, MOTChallenge folders with frames and ``gt/gt.txt``, or image sets
            (``images/`` and ``labels/labels.csv``).
        seed: of how images are moved.
        images: at most so many of each image set, evenly spaced.

    Raises:
        InputError: a folder is none of these, or a file in it cannot be used.
    """
    rng = np.random.default_rng(seed)
    sources: list[tuple[str, list[Path]]] = []
    for entry in data:
        if entry == RENDERED:
            sources += [(f"{RENDERED} {clip.name}", [clip]) for clip in _rendered(cache / RENDERED)]
        else:
            sources.append(_source(Path(entry), images))
    bank = FeatureBank(cache / "features.f16", detector)
    sequences = []
    total = sum(2 * len(paths) if len(paths) > 1 else Clip.open(paths[0]).info.frame_count for _, paths in sources)
    with tqdm(total=total, desc="features", unit="frame", disable=None) as bar:
        for name, paths in sources:
            for frames in _of_clip(paths[0], bank) if len(paths) == 1 else _of_images(paths, bank, rng):
                bar.update(len(frames))
                if any(len(frame.box) for frame in frames):
                    sequences.append(TrainingSequence(name, frames))
    if not sequences:
        raise InputError(f"{', '.join(data)}: no frame with a box in it; nothing to learn motion from")
    return sequences, bank


def _rendered(folder: Path) -> list[Path]:
    clips = []
    for seed, rate, people, width, height in RENDERED_CLIPS:
        clip = folder / f"street-{seed}"
        if not (clip / "seqinfo.ini").is_file():
            render_clip(
                clip, seed=seed, frames=RENDERED_FRAMES, people=people, width=width, height=height, frame_rate=rate
            )
        clips.append(clip)
    return clips


def _source(path: Path, count: int) -> tuple[str, list[Path]]:
    """A clip's folder alone, or an image set's images."""
    if (path / "labels" / "labels.csv").is_file():
        images = sorted(each for each in (path / "images").iterdir() if each.is_file())
        if len(images) < 2:
            raise InputError(f"{path}: an image set needs two images or more under images/")
        chosen = np.unique(np.linspace(0, len(images) - 1, max(count, 2)).round().astype(int))
        return path.name, [images[index] for index in chosen]
    sequence = find_sequence(path)
    if sequence.ground_truth is None or (sequence.video is None and sequence.images is None):
        raise InputError(
            f"{path}: neither a MOTChallenge folder with frames and gt/gt.txt, nor an image set with images/ and "
            f"labels/labels.csv; or give the word {RENDERED}"
        )
    return path.name, [path]


def _of_clip(path: Path, bank: FeatureBank) -> Iterator[tuple[TrainingFrame, ...]]:
    clip, truth = Clip.open(path), read_truth(path)
    frames = []
    for number, image in clip.frames():
        rows = np.flatnonzero((truth.frame == number) & ~truth.ignored)
        rows = rows[_large(truth.box[rows])]
        size = (clip.info.width, clip.info.height)
        place = bank.add(image)
        frames.append(TrainingFrame(place, truth.box[rows], truth.track[rows], truth.visibility[rows], size))
    yield tuple(frames)


def _of_images(paths: list[Path], bank: FeatureBank, rng: np.random.Generator) -> Iterator[tuple[TrainingFrame, ...]]:
    boxes = _read_labels(paths[0].parent.parent / "labels" / "labels.csv")
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise InputError(f"{path}: does not decode as an image; replace or remove it")
        box = boxes.get(path.name, np.zeros((0, 4)))
        box = box[_large(box)]
        size = (image.shape[1], image.shape[0])
        track = np.arange(len(box))
        still = TrainingFrame(bank.add(np.asarray(image, np.uint8)), box, track, np.ones(len(box)), size)
        moved, moved_box, visibility = move_image(np.asarray(image, np.uint8), box, rng)
        yield still, TrainingFrame(bank.add(moved), moved_box, track, visibility, size)


def move_image(image: Image, box: FloatArray, rng: np.random.Generator) -> tuple[Image, FloatArray, FloatArray]:
    """An image as a later frame might show it: shifted, scaled, blurred, in another light, at times one box covered.

    Returns:
        the image; the boxes there [n, 4]; the share of each that is seen [n].
    """
    height, width = image.shape[:2]
    scale = np.exp(rng.normal(0, 0.12, 2) * np.array([0.3, 0.3]) + rng.normal(0, 0.12))
    middle = np.array([width, height]) / 2
    shift = middle - scale * middle + rng.normal(0, 0.06, 2) * min(width, height)
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=(114, 114, 114))
    moved_box = box * np.tile(scale, 2) + np.tile(shift, 2)
    clipped = clip_to_image(moved_box, width, height)
    visibility = area(clipped) / np.maximum(area(moved_box), 1e-6)
    if len(box) and rng.random() < COVERED:
        visibility = visibility * _cover(moved, moved_box, int(rng.integers(len(box))), rng)
    if rng.random() < 0.3:
        moved = _blurred(moved, int(rng.integers(3, 8)), rng.random() < 0.7)
    light = moved.astype(np.float32) * rng.uniform(0.8, 1.2) + rng.uniform(-15, 15)
    return np.clip(light, 0, 255).astype(np.uint8), moved_box, visibility


def _cover(image: Image, box: FloatArray, row: int, rng: np.random.Generator) -> FloatArray:
    """Draws another part of the image over one box, in place. [n], the share of each box that is still seen."""
    height, width = image.shape[:2]
    over = clip_to_image(
        box[row : row + 1] + rng.normal(0, 0.05, 4) * (box[row, 2:] - box[row, :2]).max(), width, height
    )
    x1, y1, x2, y2 = over[0].astype(int)
    if x2 - x1 < 2 or y2 - y1 < 2:
        return np.ones(len(box))
    left, top = int(rng.integers(0, width - (x2 - x1) + 1)), int(rng.integers(0, height - (y2 - y1) + 1))
    image[y1:y2, x1:x2] = image[top : top + y2 - y1, left : left + x2 - x1].copy()
    low, high = np.maximum(box[:, :2], over[:, :2]), np.minimum(box[:, 2:], over[:, 2:])
    return np.asarray(1 - np.maximum(high - low, 0).prod(axis=1) / np.maximum(area(box), 1e-6))


def _blurred(image: Image, length: int, sideways: bool) -> Image:
    kernel = (length, 1) if sideways else (1, length)
    return np.asarray(cv2.blur(image, kernel), np.uint8)


def _read_labels(path: Path) -> dict[str, FloatArray]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                (row["image"], [float(row[key]) for key in ("x1", "y1", "x2", "y2")]) for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise FormatError(f"{path}: expected columns image, x1, y1, x2, y2 ({error!r})") from error
    found: dict[str, list[list[float]]] = {}
    for image, box in rows:
        found.setdefault(image, []).append(box)
    return {image: np.array(box) for image, box in found.items()}


def _large(box: FloatArray) -> IntArray:
    return np.flatnonzero((box[:, 2:] - box[:, :2]).min(axis=1, initial=np.inf) >= LEAST_SIDE)
