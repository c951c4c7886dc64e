"""Lessons of an embedding head: what it sees of a person, and what the teacher says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from spam_model.appearance.crops import CropAppearance, cut_crops
from spam_model.data.clip import Image
from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.eyes.cutouts import HEIGHT, WIDTH, Canvas, Cutout, compose
from spam_model.eyes.embedding_head import EmbeddingHead, HeadShape
from spam_model.eyes.teacher_cache import ArrayCache, digest
from spam_model.values.candidates import FloatArray, IntArray

_VERSION = 1  # of what is cached; to be raised when canvases or sampling change
_PER_SHARD = 16  # canvases


class HeadStand(Protocol):
    """A detector on whose feature maps a head can stand."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str:
        """Of the weights."""
        ...

    def head_features(self, images: Sequence[Image]) -> FeatureMaps:
        """The maps that a head reads, of images of one size."""
        ...


@dataclass(frozen=True)
class Lessons:
    """N looks at people.

    Attributes:
        samples: [N, ΣC, rows, columns] float16, see ``EmbeddingHead.sample``.
        teacher: [N, D] float16, L2-normalised.
        group: [N] the image that each person comes from.
        cutout: [N] which person it is.
    """

    samples: NDArray[np.float16]
    teacher: NDArray[np.float16]
    group: IntArray
    cutout: IntArray

    def __len__(self) -> int:
        return len(self.teacher)


def head_shape(detector: HeadStand, dimension: int, **sizes: int) -> HeadShape:
    """What a head for this detector stands on; ``sizes`` as in ``HeadShape``."""
    maps = detector.head_features([np.zeros((HEIGHT, WIDTH, 3), np.uint8)])
    channels = tuple(feature.shape[1] for feature in maps.maps)
    return HeadShape(detector.name, channels, maps.strides, dimension=dimension, **sizes)


def make_lessons(
    cutouts: Sequence[Cutout],
    chance: FloatArray,
    detector: HeadStand,
    teacher: CropAppearance,
    shape: HeadShape,
    cache: ArrayCache,
    *,
    count: int,
    seed: int,
) -> Lessons:
    """At least ``count`` lessons, from the cache where they are there.

    Args:
        cutouts: the people.
        chance: [len(cutouts)] how often each is drawn; sums to 1.
        detector: frozen.
        teacher: looks at crops.
        shape: of the head; only its grid and maps matter.
        cache: of what detector and teacher say.
        count: of lessons.
        seed: of all that is drawn by chance.
    """
    reader = EmbeddingHead(shape)
    people = digest(chance.tobytes(), *(part for cut in cutouts for part in (cut.image.tobytes(), cut.box.tobytes())))
    groups = np.array([cut.group for cut in cutouts])
    features: list[NDArray[np.float16]] = []
    answers: list[NDArray[np.float16]] = []
    chosen: list[IntArray] = []
    done = 0
    with tqdm(total=count, desc="looking at people", unit="box", disable=None) as bar:
        while done < count:
            rng = np.random.default_rng([seed, len(chosen)])
            canvases = [compose(cutouts, chance, rng) for _ in range(_PER_SHARD)]
            key = digest(_VERSION, people, seed, len(chosen))
            grid = repr((shape.channels, shape.strides, shape.rows, shape.columns))
            features.append(
                cache.get(digest(key, detector.name, detector.digest, grid), lambda: _seen(canvases, detector, reader))  # noqa: B023 - called at once
            )
            answers.append(cache.get(digest(key, teacher.name), lambda: _taught(canvases, teacher)))  # noqa: B023
            chosen.append(np.concatenate([canvas.cutout for canvas in canvases]))
            done += len(chosen[-1])
            bar.update(len(chosen[-1]))
    cutout = np.concatenate(chosen)
    return Lessons(np.concatenate(features), np.concatenate(answers), groups[cutout], cutout)


@torch.inference_mode()
def _seen(canvases: Sequence[Canvas], detector: HeadStand, reader: EmbeddingHead) -> NDArray[np.floating]:
    parts = []
    for canvas in canvases:
        maps = detector.head_features([canvas.image])
        boxes = torch.as_tensor(canvas.box, dtype=torch.float32, device=maps.scale.device) * maps.scale.repeat(2)
        image = torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device)
        parts.append(reader.sample(maps.maps, image, boxes).cpu().numpy().astype(np.float16))
    return np.concatenate(parts)


def _taught(canvases: Sequence[Canvas], teacher: CropAppearance) -> NDArray[np.floating]:
    crops = [
        cut_crops(image, box[None], teacher.size)
        for canvas in canvases
        for image, box in zip(canvas.teacher_images, canvas.teacher_box, strict=True)
    ]
    return np.asarray(teacher.embed_crops(np.concatenate(crops)))
