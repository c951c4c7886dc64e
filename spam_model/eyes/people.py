"""The people that a head is distilled on, cut out of any images with or without boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from spam_model.data.clip import Clip, Image
from spam_model.data.motchallenge import find_sequence
from spam_model.detector_training.people import find_people, read_people_folder
from spam_model.detector_training.samples import Samples
from spam_model.detector_training.sequences import read_sequence, render_sequences
from spam_model.detectors.base import Detector
from spam_model.detectors.fetch import cache_folder
from spam_model.errors import InputError
from spam_model.eyes.cutouts import Cutout, cut_out
from spam_model.values.candidates import FloatArray

_FRAMES = 200  # of a video, evenly spread
_RENDERED_FRAMES = 10  # of each street
_UPRIGHT = 1.6  # height over width; people who stand or walk are drawn more often
_NOT_UPRIGHT = 0.35  # how often the others are


@dataclass(frozen=True)
class People:
    """Cut-outs, how often each is drawn [n] (sums to 1), and how many came from each set."""

    cutouts: tuple[Cutout, ...]
    chance: FloatArray
    counts: dict[str, int]


def gather_people(specs: Sequence[str], detector: Detector, seed: int) -> People:
    """All people of the data.

    Args:
        specs: each a folder of sets with ``images/`` and ``labels/labels.csv``, one such set, a MOTChallenge folder
            with frames and ``gt/gt.txt``, a video or folder of images (boxes are then the detector's own), or
            ``rendered:N`` for N streets that we render. ``=W`` at the end gives each of its sets a weight, by default
            the square root of its number of people.
        detector: for images without boxes.
        seed: of rendered streets.

    Raises:
        InputError, FormatError, VideoError: as the data say, or they show nobody.
    """
    cutouts: list[Cutout] = []
    chance: list[FloatArray] = []
    counts: dict[str, int] = {}
    images = 0
    for spec in specs:
        path, weight = _weighted(spec)
        for name, source in _sets(path, detector, seed):
            found: list[Cutout] = []
            for image, boxes in tqdm(source, desc=f"cut out of {name}", unit="image", disable=None):
                found += cut_out(image, boxes, images)
                images += 1
            if not found:
                continue
            size = np.array([cut.box[2:] - cut.box[:2] for cut in found])
            draw = np.where(size[:, 1] / size[:, 0] >= _UPRIGHT, 1.0, _NOT_UPRIGHT)
            chance.append(draw / draw.sum() * (weight or np.sqrt(len(found))))
            cutouts += found
            counts[name] = len(found)
    if not cutouts:
        raise InputError(f"nobody to learn from in {', '.join(specs)}; give images of people, or data with boxes")
    total = np.concatenate(chance)
    return People(tuple(cutouts), total / total.sum(), counts)


def _weighted(spec: str) -> tuple[str, float | None]:
    path, separator, text = spec.rpartition("=")
    if not separator:
        return spec, None
    try:
        weight = float(text)
    except ValueError:
        return spec, None  # a path with = in it
    if not weight > 0:
        raise InputError(f"{spec}: a weight is greater than 0")
    return path, weight


def _sets(spec: str, detector: Detector, seed: int) -> Iterator[tuple[str, Iterator[tuple[Image, FloatArray]]]]:
    """Name, and images with boxes [n, 4], of each set."""
    kind, _, number = spec.partition(":")
    path = Path(spec)
    if kind == "rendered":
        if not number.isdigit() or int(number) == 0:
            raise InputError(f"{spec}: rendered:N takes a number of streets")
        streets = render_sequences(cache_folder() / "rendered", int(number), seed, frames=_RENDERED_FRAMES)
        yield streets.name, _labelled(streets)
    elif path.is_dir() and ((path / "labels").is_dir() or any(path.glob("*/labels/labels.csv"))):
        for folder in find_people(path):
            people = read_people_folder(folder)
            yield people.name, _labelled(people)
    elif path.is_dir() and find_sequence(path).ground_truth is not None:
        sequence = read_sequence(path, every=_step(path))
        yield sequence.name, _labelled(sequence)
    else:
        clip = Clip.open(path, frame_rate=25.0)
        yield clip.info.name, _found(clip, detector)


def _step(path: Path) -> int:
    return max(1, Clip.open(path).info.frame_count // _FRAMES)


def _labelled(samples: Samples) -> Iterator[tuple[Image, FloatArray]]:
    """People, and doubtful ones: the teacher has something to say of anything."""
    for index in np.flatnonzero(samples.frequency > 0):
        sample = samples.load(int(index))
        yield sample.image, np.concatenate([sample.boxes.box, sample.boxes.ignore])


def _found(clip: Clip, detector: Detector) -> Iterator[tuple[Image, FloatArray]]:
    for frame in range(0, clip.info.frame_count, max(1, clip.info.frame_count // _FRAMES)):
        image = clip.frame(frame)
        yield image, detector.detect([image])[0].box
