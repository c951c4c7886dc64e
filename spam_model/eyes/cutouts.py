"""What an embedding head is distilled on: people cut out of images, and canvases on which many of them stand.

A forward pass costs the same for one person as for fifty, so cut-outs are set side by side at the sizes that people
have in video. What the head sees of a person is then recoloured, mirrored, scaled, compressed and boxed badly; the
teacher sees the same colours at full resolution and in a good box, so that the head learns to see through the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from spam_model.data.clip import Image
from spam_model.geometry import sizes
from spam_model.values.candidates import FloatArray, IntArray

HEIGHT, WIDTH = 448, 608  # px of a canvas: what the detector's input is for most video
_FILL = 114
_TALLEST = 256  # px of a person in a cut-out; the teacher's crops are no taller
_SMALLEST = (8, 24)  # px, width and height of a person worth cutting out
_CONTEXT = 0.3  # of the box on each side
_SIZES = (32.0, 220.0)  # px, height of people on canvases
_CELL = (1.12, 0.66)  # height and width of a cell, in heights of its person
_BAD_BOXES = 0.1  # share that is moved far off, for the teacher too: what low scores look like
_JITTER = (0.01, 0.04, 0.08)  # of the box's sides, standard deviation


@dataclass(frozen=True)
class Cutout:
    """Image [h, w, 3] uint8 BGR, the box [4] x1 y1 x2 y2 in it, and a number for the image that it comes from."""

    image: Image
    box: FloatArray
    group: int


@dataclass(frozen=True)
class Canvas:
    """People side by side.

    Attributes:
        image: [H, W, 3] uint8 BGR.
        box: [n, 4] px, as a detector would find them.
        teacher_images: of each, what the teacher crops.
        teacher_box: [n, 4] px of those.
        cutout: [n] which one it is.
    """

    image: Image
    box: FloatArray
    teacher_images: tuple[Image, ...]
    teacher_box: FloatArray
    cutout: IntArray


def cut_out(image: Image, boxes: FloatArray, group: int) -> Iterator[Cutout]:
    """The people of an image [H, W, 3] at boxes [n, 4] px, with what is around them; tiny ones are left out."""
    height, width = image.shape[:2]
    for box, (w, h) in zip(boxes, sizes(boxes), strict=True):
        if w < _SMALLEST[0] or h < _SMALLEST[1]:
            continue
        margin = _CONTEXT * np.array([w, h])
        left, top = np.clip(np.floor(box[:2] - margin), 0, None).astype(int)
        right, bottom = np.minimum(np.ceil(box[2:] + margin), [width, height]).astype(int)
        if right - left < 2 or bottom - top < 2:
            continue
        part = image[top:bottom, left:right]
        scale = min(1.0, _TALLEST / h)
        if scale < 1:
            part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        factor = np.array([part.shape[1] / (right - left), part.shape[0] / (bottom - top)])
        yield Cutout(np.array(part), (box - np.tile([left, top], 2)) * np.tile(factor, 2), group)


def compose(cutouts: Sequence[Cutout], chance: FloatArray, rng: np.random.Generator) -> Canvas:
    """A canvas of people drawn with ``chance`` [len(cutouts)]; all of about one height."""
    tall = _height(rng)
    cell = np.array([tall * _CELL[0], tall * _CELL[1]])  # height, width
    rows, columns = np.maximum(np.array([HEIGHT, WIDTH]) // cell, 1).astype(int)
    image = np.full((HEIGHT, WIDTH, 3), _FILL, np.uint8)
    chosen = rng.choice(len(cutouts), rows * columns, p=chance)
    boxes, teacher_boxes, teacher_images = [], [], []
    for place, index in enumerate(chosen):
        person, box = _varied(cutouts[index], rng)
        if rng.random() < _BAD_BOXES:
            box = _moved(box, rng)
        corner = np.array([place // columns, place % columns]) * cell
        fit = np.min(np.array([tall, cell[1]]) / [box[3] - box[1], box[2] - box[0]])
        scale = min(float(fit) * np.exp(rng.uniform(-0.2, 0.05)), 1.5)
        boxes.append(_paste(image, person, box, scale, corner, cell, rng))
        teacher_images.append(person)
        teacher_boxes.append(box)
    return Canvas(_degraded(image, rng), np.array(boxes), tuple(teacher_images), np.array(teacher_boxes), chosen)


def _height(rng: np.random.Generator) -> float:
    """Small people are many on a canvas; large ones have more canvases, but not as many people in all."""
    low, high = np.log(_SIZES)
    steps = np.linspace(low, high, 64)
    chance = np.exp(steps - high)  # a canvas holds people in proportion to 1 / height²
    return float(np.exp(rng.choice(steps, p=chance / chance.sum())))


def _varied(cutout: Cutout, rng: np.random.Generator) -> tuple[Image, FloatArray]:
    """Recoloured, and mirrored half of the time."""
    image, box = recoloured(cutout.image, rng), cutout.box
    if rng.random() < 0.5:
        width = image.shape[1]
        image = np.ascontiguousarray(image[:, ::-1])
        box = np.array([width - box[2], box[1], width - box[0], box[3]])
    return image, box


def recoloured(image: Image, rng: np.random.Generator) -> Image:
    """Another light, and two times out of five all hues turned: clothes of colours that the data do not have."""
    turn = rng.uniform(-90, 90) if rng.random() < 0.4 else rng.uniform(-6, 6)
    saturation = rng.uniform(0.5, 1.3)
    gamma, gain, offset = np.exp(rng.normal(0, 0.25)), rng.uniform(0.75, 1.15), rng.uniform(-15, 15)
    level = np.arange(256, dtype=np.float64)
    hue = ((level + turn) % 180).astype(np.uint8)
    strength = np.clip(level * saturation, 0, 255).astype(np.uint8)
    light = np.clip(255 * (level / 255) ** gamma * gain + offset, 0, 255).astype(np.uint8)
    channels = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))
    changed = cv2.merge([cv2.LUT(channels[0], hue), cv2.LUT(channels[1], strength), channels[2]])
    return np.asarray(cv2.LUT(cv2.cvtColor(changed, cv2.COLOR_HSV2BGR), light), np.uint8)


def _moved(box: FloatArray, rng: np.random.Generator) -> FloatArray:
    size = np.array([box[2] - box[0], box[3] - box[1]])
    corner = box[:2] + rng.uniform(-0.35, 0.35, 2) * size
    return np.concatenate([corner, corner + size * rng.uniform(0.5, 1.3, 2)])


def _paste(
    canvas: Image,
    person: Image,
    box: FloatArray,
    scale: float,
    corner: FloatArray,
    cell: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Draws a person into a cell (row, column order) and returns its jittered box [4] on the canvas."""
    shrinks = scale < 1 and rng.random() < 0.6
    small = cv2.resize(person, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    scaled = box * np.tile([small.shape[1] / person.shape[1], small.shape[0] / person.shape[0]], 2)
    middle = np.array([scaled[1] + scaled[3], scaled[0] + scaled[2]]) / 2
    offset = np.round(corner + cell / 2 + rng.uniform(-0.05, 0.05, 2) * cell - middle).astype(int)  # of the cut-out
    first = np.maximum(np.floor(corner).astype(int), np.maximum(offset, 0))
    last = np.minimum(np.floor(corner + cell).astype(int), offset + small.shape[:2])
    last = np.minimum(last, canvas.shape[:2])
    if (last > first).all():
        (top, left), (bottom, right) = first - offset, last - offset
        canvas[first[0] : last[0], first[1] : last[1]] = small[top:bottom, left:right]
    size = np.tile([scaled[2] - scaled[0], scaled[3] - scaled[1]], 2)
    jitter = rng.normal(0, rng.choice(_JITTER), 4) * size
    return np.asarray(scaled + np.tile(offset[::-1], 2) + jitter)


def _degraded(image: Image, rng: np.random.Generator) -> Image:
    """As video is: compressed half of the time, sometimes blurred."""
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))]
        image = np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)
    return image
