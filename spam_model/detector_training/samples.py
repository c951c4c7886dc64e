"""Images with boxes, whatever they come from: data sets, ground truth of video, or our own labels of a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from spam_model.data.clip import Image
from spam_model.errors import InputError, VideoError
from spam_model.values.candidates import FloatArray, IntArray

EVERYWHERE = np.array([[-1e6, -1e6, 1e6, 1e6]])  # [1, 4]


@dataclass(frozen=True)
class Boxes:
    """What is known of an image, px.

    Attributes:
        box: [N, 4] x1 y1 x2 y2, objects.
        class_id: [N] int64, index into the class names of where they come from.
        weight: [N], how much each object counts; 1 for one that is certain.
        known: [K, 4], areas in which every object is in ``box``; elsewhere nothing is learnt from finding none.
        ignore: [I, 4], areas where something may be or not, known or not: nothing is learnt there from finding none.
        rejected: [R, 4], boxes of which a person said that they are no object.
    """

    box: FloatArray
    class_id: IntArray
    weight: FloatArray
    known: FloatArray
    ignore: FloatArray
    rejected: FloatArray

    @classmethod
    def build(
        cls,
        box: FloatArray,
        *,
        class_id: IntArray | None = None,
        weight: FloatArray | None = None,
        known: FloatArray = EVERYWHERE,
        ignore: FloatArray | None = None,
        rejected: FloatArray | None = None,
    ) -> Boxes:
        """Fills what is not given: class 0, weight 1, every object known, nothing ignored or rejected."""
        box = np.asarray(box, np.float64).reshape(-1, 4)

        def areas(given: FloatArray | None) -> FloatArray:
            return np.zeros((0, 4)) if given is None else np.asarray(given, np.float64).reshape(-1, 4)

        return cls(
            box=box,
            class_id=np.zeros(len(box), np.int64) if class_id is None else np.asarray(class_id, np.int64),
            weight=np.ones(len(box)) if weight is None else np.asarray(weight, np.float64),
            known=areas(known),
            ignore=areas(ignore),
            rejected=areas(rejected),
        )

    @classmethod
    def partly_known(cls, box: FloatArray) -> Boxes:
        """Of an image in which other objects may be: known inside the boxes only."""
        return cls.build(box, known=np.asarray(box, np.float64).reshape(-1, 4))

    @property
    def teach(self) -> bool:
        """Whether there is anything to learn from them."""
        return len(self.known) > 0 or len(self.box) > 0 or len(self.rejected) > 0


@dataclass(frozen=True)
class Sample:
    """An image [H, W, 3] uint8 BGR, and what is known of it."""

    image: Image
    boxes: Boxes


class Samples(Protocol):
    """A set of samples, loaded one by one."""

    @property
    def name(self) -> str:
        """For the card and for checkpoints."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def frequency(self) -> FloatArray:
        """How often each is drawn, relative to the others. [S], not negative."""
        ...

    def load(self, index: int) -> Sample: ...


@dataclass(frozen=True)
class ImageFiles:
    """Samples whose images are files.

    Attributes:
        name: of the set.
        class_names: what ``class_id`` indexes.
        images: [S].
        boxes: [S].
        weight: how often an image of this set is drawn, relative to those of others.
    """

    name: str
    class_names: tuple[str, ...]
    images: Sequence[Path]
    boxes: Sequence[Boxes]
    weight: float = 1.0

    @property
    def frequency(self) -> FloatArray:
        return self.weight * np.array([boxes.teach for boxes in self.boxes], np.float64)

    def load(self, index: int) -> Sample:
        return Sample(read_image(self.images[index]), self.boxes[index])


@dataclass(frozen=True)
class FramesInMemory:
    """Samples of a clip: frames cannot be read at random in little time, so they are kept, encoded.

    Attributes:
        encoded: [S] JPEG files as bytes.
    """

    name: str
    class_names: tuple[str, ...]
    encoded: Sequence[bytes]
    boxes: Sequence[Boxes]
    weight: float = 1.0

    @property
    def frequency(self) -> FloatArray:
        return self.weight * np.array([boxes.teach for boxes in self.boxes], np.float64)

    def load(self, index: int) -> Sample:
        pixels = cv2.imdecode(np.frombuffer(self.encoded[index], np.uint8), cv2.IMREAD_COLOR)
        return Sample(np.asarray(pixels, np.uint8), self.boxes[index])


def encode_frame(image: Image) -> bytes:
    """JPEG of quality 95."""
    done, buffer = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    if not done:
        raise VideoError("a frame could not be encoded as JPEG")
    return bytes(buffer)


@dataclass(frozen=True)
class Joined:
    """Several sets as one. They have the same classes.

    Raises:
        InputError: they do not, or nothing is there.
    """

    parts: tuple[Samples, ...]

    def __post_init__(self) -> None:
        if not self.parts or not len(self.frequency) or not self.frequency.sum() > 0:
            raise InputError("there is no image to train on")
        if len({part.class_names for part in self.parts}) > 1:
            raise InputError(f"{self.name}: these sets do not have the same classes; train on those that have")

    @property
    def name(self) -> str:
        return " + ".join(part.name for part in self.parts)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.parts[0].class_names

    @cached_property
    def frequency(self) -> FloatArray:
        return np.concatenate([part.frequency for part in self.parts])

    @cached_property
    def _start(self) -> IntArray:
        return np.cumsum([0, *(len(part.frequency) for part in self.parts)])

    def load(self, index: int) -> Sample:
        part = int(np.searchsorted(self._start, index, side="right")) - 1
        return self.parts[part].load(index - int(self._start[part]))


def read_image(path: Path) -> Image:
    """[H, W, 3] uint8 BGR.

    Raises:
        VideoError: it does not decode.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise VideoError(f"{path}: does not decode as an image; replace it, or remove it and its rows")
    return np.asarray(image, np.uint8)


Draw = Callable[[np.random.Generator], Sample]


def drawing(samples: Samples) -> Draw:
    """What draws samples as often as their frequencies say."""
    chance = samples.frequency / samples.frequency.sum()

    def draw(rng: np.random.Generator) -> Sample:
        return samples.load(int(rng.choice(len(chance), p=chance)))

    return draw
