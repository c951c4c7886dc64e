"""Crops with identities: a folder of them named as in Market-1501 or MSMT17, or cut from sequences with ground truth.

0002_c1s1_000451_03.jpg                 Market-1501: identity 2, camera 1; 0000 and -1 are nobody
0002/0002_000_01_0303morning_0015_0.jpg MSMT17: identity 2, image 0, camera 1
<seq>/{gt/gt.txt, img1 or video.*}      MOTChallenge, or a folder of such sequences
mot_annotations/<seq>/gt/gt.txt         MOTSynth, with frames/<seq>/rgb/ or <seq>.mp4 somewhere below
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from spam_model import geometry
from spam_model.appearance.crops import cut_crops
from spam_model.data.clip import IMAGE_SUFFIXES, Clip, Image
from spam_model.data.motchallenge import read_ground_truth
from spam_model.data.motsynth import find_motsynth, read_motsynth
from spam_model.errors import InputError
from spam_model.values import GroundTruth
from spam_model.values.candidates import IntArray

MOST_CROPS = 32  # of an identity of a sequence, evenly spread in time
LEAST_VISIBILITY = 0.4
LEAST_HEIGHT = 32  # px
_MARKET = re.compile(r"(-?\d+)_c\d+s?\d*_.*")
_MSMT = re.compile(r"(\d{4})_\d{3}_\d{2}_.*")


@dataclass(frozen=True)
class IdentityCrops:
    """Crops of identities that have two or more.

    Attributes:
        name: what is printed of it.
        identity: [N] int64 from 0 on, of each crop; sorted.
        read: the crop of a number below N, [height, width, 3] uint8 BGR.
    """

    name: str
    identity: IntArray
    read: Callable[[int], Image]

    @property
    def identities(self) -> int:
        return int(self.identity[-1]) + 1

    def of_identities(self, kept: IntArray) -> IdentityCrops:
        """The crops of some identities, counted anew."""
        rows = np.flatnonzero(np.isin(self.identity, kept))
        return IdentityCrops(
            self.name, np.searchsorted(np.sort(kept), self.identity[rows]), lambda i: self.read(rows[i])
        )


def open_crops(folder: Path, size: tuple[int, int]) -> IdentityCrops:
    """Whatever of the above ``folder`` holds, in crops of ``size`` (height and width in px).

    Raises:
        InputError: there is no such folder, or nothing of the above in it.
        FormatError, VideoError: ground truth or frames do not read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    sequences = list(_sequences(folder))
    if sequences:
        return _from_sequences(folder, sequences, size)
    return _from_folder(folder, size)


def _from_folder(folder: Path, size: tuple[int, int]) -> IdentityCrops:
    root = folder / "bounding_box_train"  # Market-1501; its other folders are for evaluation
    named = [
        (identity, path)
        for path in sorted((root if root.is_dir() else folder).rglob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES and (identity := _identity(path)) is not None
    ]
    if not named:
        raise InputError(
            f"{folder}: no crops named as in Market-1501 (0002_c1s1_000451_03.jpg) or MSMT17 here, "
            "and no sequence with gt/gt.txt and frames"
        )
    paths = [path for _, path in named]

    def read(index: int) -> Image:
        image = cv2.imdecode(np.fromfile(paths[index], np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise InputError(f"{paths[index]}: does not decode as an image; remove it")
        whole = np.array([[0, 0, image.shape[1], image.shape[0]]], np.float64)
        return np.asarray(cut_crops(np.asarray(image, np.uint8), whole, size)[0])

    return _counted(str(folder), [identity for identity, _ in named], read)


def _identity(path: Path) -> str | None:
    """Of a crop by its name, None for nobody."""
    msmt = _MSMT.fullmatch(path.stem)
    if msmt is not None:
        return msmt[1]
    market = _MARKET.fullmatch(path.stem)
    return market[1] if market is not None and int(market[1]) > 0 else None


def _sequences(folder: Path) -> Iterator[tuple[Path, Callable[[], GroundTruth]]]:
    """Where the frames of each sequence lie, and what reads its ground truth."""
    if (folder / "mot_annotations").is_dir():
        for path in find_motsynth(folder):
            frames = folder / "frames" / path.name / "rgb"
            videos = sorted(folder.rglob(f"{path.name}.mp4"))
            if frames.is_dir() or videos:
                yield (frames if frames.is_dir() else videos[0]), partial(read_motsynth, path)
        return
    for file in sorted([*folder.glob("gt/gt.txt"), *folder.glob("*/gt/gt.txt")]):
        sequence = file.parent.parent
        if (sequence / "img1").is_dir() or any(sequence.glob("video.*")):
            yield sequence, partial(read_ground_truth, file, Clip.open(sequence).info)


def _from_sequences(
    folder: Path, sequences: Sequence[tuple[Path, Callable[[], GroundTruth]]], size: tuple[int, int]
) -> IdentityCrops:
    """Crops are kept as JPEG in memory: 10 KB each, where pixels would need 100 KB."""
    identity: list[str] = []
    encoded = []
    for frames, read_truth in tqdm(sequences, desc="crops", unit="sequence", disable=None):
        truth = read_truth()
        clip = Clip.open(frames, frame_rate=truth.info.frame_rate)
        rows = _chosen(truth, clip.info.frame_count)
        for frame in np.unique(truth.frame[rows]):
            here = rows[truth.frame[rows] == frame]
            for crop in cut_crops(clip.frame(int(frame)), truth.box[here], size):
                encoded.append(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])
            identity += [f"{frames}:{track}" for track in truth.track[here]]

    def read(index: int) -> Image:
        return np.asarray(cv2.imdecode(encoded[index], cv2.IMREAD_COLOR), np.uint8)

    return _counted(str(folder), identity, read)


def _chosen(truth: GroundTruth, frame_count: int) -> IntArray:
    """Rows of well visible, large enough boxes, at most ``MOST_CROPS`` of a track."""
    inside = geometry.area(geometry.clip_to_image(truth.box, truth.info.width, truth.info.height))
    fit = ~truth.ignored & (truth.visibility >= LEAST_VISIBILITY) & (truth.frame < frame_count)
    fit &= (inside >= geometry.area(truth.box) / 2) & (truth.box[:, 3] - truth.box[:, 1] >= LEAST_HEIGHT)
    rows = []
    for track in np.unique(truth.track[fit]):
        of_track = np.flatnonzero(fit & (truth.track == track))
        rows.append(of_track[np.unique(np.linspace(0, len(of_track) - 1, MOST_CROPS).round().astype(np.int64))])
    return np.concatenate(rows) if rows else np.zeros(0, np.int64)


def _counted(name: str, identity: Sequence[str], read: Callable[[int], Image]) -> IdentityCrops:
    """Sorted by identity, without those that have one crop only."""
    _, number, count = np.unique(np.array(identity, dtype=str), return_inverse=True, return_counts=True)
    rows = np.argsort(number, kind="stable")
    rows = rows[count[number[rows]] >= 2]
    if len(np.unique(number[rows])) < 2:
        raise InputError(f"{name}: fewer than two identities with two crops each; nothing can be told apart")
    return IdentityCrops(name, np.unique(number[rows], return_inverse=True)[1], lambda index: read(int(rows[index])))
