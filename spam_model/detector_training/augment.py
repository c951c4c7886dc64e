"""Random views of a sample at the size of the network's input: scaled, moved, mirrored, recoloured, four in one.

The mosaic is that of YOLOv4 (Bochkovskiy et al., 2020): four images meet at a random point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from spam_model.detector_training.samples import Boxes, Draw, Sample
from spam_model.geometry import area, clip_to_image, sizes
from spam_model.values.candidates import FloatArray

FILL = 114
_LEAST_SEEN = 0.25  # share of an object in the view; below, it is ignored
_LEAST_SIDE = 4.0  # px; smaller objects are ignored
_MEETING = (0.3, 0.7)  # of width and height, where the four images of a mosaic meet


@dataclass(frozen=True)
class Augmentation:
    """How far a view may go from the image as it is.

    Attributes:
        scale: range of the size, 1 fills the view.
        aspect: largest ratio by which width and height may be scaled apart.
        hue, saturation, value: largest change; of 180 for hue, as a share for the others.
        mosaic: share of the views that are made of four images.
        grey: share of the views without colour.
    """

    scale: tuple[float, float] = (0.6, 1.8)
    aspect: float = 1.15
    hue: float = 5.0
    saturation: float = 0.4
    value: float = 0.35
    mosaic: float = 0.5
    grey: float = 0.05


GENTLE = Augmentation(scale=(0.8, 1.3), aspect=1.05, hue=2.0, saturation=0.15, value=0.15, mosaic=0.0, grey=0.0)


def view(draw: Draw, size: tuple[int, int], settings: Augmentation, rng: np.random.Generator) -> Sample:
    """A random view of one sample, or of four, (width, height) px."""
    if rng.random() < settings.mosaic:
        return _coloured(_mosaic([draw(rng) for _ in range(4)], size, settings, rng), settings, rng)
    return _coloured(random_crop(draw(rng), size, settings, rng), settings, rng)


def random_crop(sample: Sample, size: tuple[int, int], settings: Augmentation, rng: np.random.Generator) -> Sample:
    """Scaled about the size that fits, moved to a random place, mirrored half of the time."""
    height, width = sample.image.shape[:2]
    fit = min(size[0] / width, size[1] / height)
    scale = fit * np.exp(rng.uniform(*np.log(settings.scale)))
    stretch = np.exp(rng.uniform(-1, 1) * np.log(settings.aspect) / 2)
    scaled = (max(1, round(width * scale * stretch)), max(1, round(height * scale / stretch)))
    place = [round(rng.random() * (side - own)) for side, own in zip(size, scaled, strict=True)]
    return placed(sample, scaled, (place[0], place[1]), size, mirror=bool(rng.random() < 0.5))


def placed(
    sample: Sample, scaled: tuple[int, int], corner: tuple[int, int], size: tuple[int, int], mirror: bool = False
) -> Sample:
    """The image at ``scaled`` (width, height) px with its corner at ``corner`` of a view of ``size``; then mirrored.

    A corner of negative numbers lies outside the view.
    """
    height, width = sample.image.shape[:2]
    shrinks = scaled[0] < width
    image = cv2.resize(sample.image, scaled, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    canvas = np.full((size[1], size[0], 3), FILL, np.uint8)
    x, y = corner
    right, bottom = min(x + scaled[0], size[0]), min(y + scaled[1], size[1])
    left, top = max(x, 0), max(y, 0)
    if right > left and bottom > top:
        canvas[top:bottom, left:right] = image[top - y : bottom - y, left - x : right - x]
    factor = np.array([scaled[0] / width, scaled[1] / height])

    def moved(box: FloatArray) -> FloatArray:
        box = box * np.tile(factor, 2) + np.tile(corner, 2)
        if mirror:
            box = np.stack([size[0] - box[:, 2], box[:, 1], size[0] - box[:, 0], box[:, 3]], axis=1)
        return box

    if mirror:
        canvas = np.ascontiguousarray(canvas[:, ::-1])
    return Sample(canvas, _moved(sample.boxes, moved, size))


def _moved(boxes: Boxes, moved: Callable[[FloatArray], FloatArray], size: tuple[int, int]) -> Boxes:
    whole = moved(boxes.box)
    box = clip_to_image(whole, *size)
    share = area(box) / np.maximum(area(whole), 1e-9)
    clear = (share >= _LEAST_SEEN) & (sizes(box) >= _LEAST_SIDE).all(axis=1)

    def within(areas: FloatArray) -> FloatArray:
        areas = clip_to_image(moved(areas), *size)
        return areas[area(areas) > 0]

    return Boxes.build(
        box[clear],
        class_id=boxes.class_id[clear],
        weight=boxes.weight[clear],
        known=within(boxes.known),
        ignore=np.concatenate([within(boxes.ignore), box[~clear & (share > 0)]]),
        rejected=within(boxes.rejected),
    )


def _mosaic(parts: list[Sample], size: tuple[int, int], settings: Augmentation, rng: np.random.Generator) -> Sample:
    """Four views, each of a quarter, side by side."""
    middle = [int(side * rng.uniform(*_MEETING)) for side in size]
    canvas = np.full((size[1], size[0], 3), FILL, np.uint8)
    pieces = []
    for index, part in enumerate(parts):
        column, row = index % 2, index // 2
        x, right = (0, middle[0]) if column == 0 else (middle[0], size[0])
        y, bottom = (0, middle[1]) if row == 0 else (middle[1], size[1])
        piece = random_crop(part, (right - x, bottom - y), settings, rng)
        canvas[y:bottom, x:right] = piece.image
        pieces.append((piece.boxes, np.array([x, y, x, y])))
    boxes = Boxes(
        box=np.concatenate([piece.box + corner for piece, corner in pieces]),
        class_id=np.concatenate([piece.class_id for piece, _ in pieces]),
        weight=np.concatenate([piece.weight for piece, _ in pieces]),
        known=np.concatenate([piece.known + corner for piece, corner in pieces]),
        ignore=np.concatenate([piece.ignore + corner for piece, corner in pieces]),
        rejected=np.concatenate([piece.rejected + corner for piece, corner in pieces]),
    )
    return Sample(canvas, boxes)


def _coloured(sample: Sample, settings: Augmentation, rng: np.random.Generator) -> Sample:
    """Hue, saturation and value changed; some views grey."""
    hue, saturation, value = rng.uniform(-1, 1, 3) * (settings.hue, settings.saturation, settings.value)
    if rng.random() < settings.grey:
        saturation = -1.0
    level = np.arange(256, dtype=np.float64)
    tables = (
        ((level + hue) % 180).astype(np.uint8),
        np.clip(level * (1 + saturation), 0, 255).astype(np.uint8),
        np.clip(level * (1 + value), 0, 255).astype(np.uint8),
    )
    channels = cv2.split(cv2.cvtColor(sample.image, cv2.COLOR_BGR2HSV))
    changed = cv2.merge([cv2.LUT(channel, table) for channel, table in zip(channels, tables, strict=True)])
    return Sample(np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2BGR), np.uint8), sample.boxes)
