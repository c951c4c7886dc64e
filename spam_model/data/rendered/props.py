"""What stands in the street: pictures that always face the camera, with the balls that give their shadows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from spam_model.data.clip import Image
from spam_model.data.rendered.figure import Part
from spam_model.data.rendered.walks import PILLAR
from spam_model.values.candidates import FloatArray

_SCALE = 110  # px/m


@dataclass(frozen=True)
class Prop:
    """``image`` [h, w, 4] BGRA stands upright with its foot's middle at ``foot`` [3] m; ``size`` is width, height m."""

    image: Image
    foot: FloatArray
    size: tuple[float, float]
    shadow: list[Part]


def make_props(rng: np.random.Generator) -> list[Prop]:
    """The pillar, lamps, trees along the road and a few planters."""
    props = [_pillar(*PILLAR)]
    props += [_lamp(x, 14.7) for x in (-7.6, 0.4, 8.4)]
    trees = (
        (-10.8, 14.2, 5.0),
        (-4.1, 14.5, 4.4),
        (4.6, 14.4, 4.7),
        (11.6, 14.3, 5.2),
        (-14.5, 22.3, 4.8),
        (7.2, 22.3, 4.2),
    )
    props += [_tree(x + rng.uniform(-0.3, 0.3), z, height, rng) for x, z, height in trees]
    props += [_planter(x, z, rng) for x, z in ((-3.4, 8.4), (-5.9, 12.6), (6.4, 12.4), (4.3, 6.2))]
    return props


def _blank(width: float, height: float) -> Image:
    return np.zeros((round(height * _SCALE), round(width * _SCALE), 4), np.uint8)


def _standing(x: float, z: float, *balls: tuple[float, float]) -> list[Part]:
    """A shadow caster: balls (height, radius) above one point."""
    centre = np.array([[x, height, z] for height, _ in balls])
    return [Part(centre, np.array([radius for _, radius in balls]), (0, 0, 0))]


def _pillar(x: float, z: float) -> Prop:
    """An advertising pillar with posters."""
    width, height = 1.1, 3.0
    image = _blank(width, height)
    rows, columns = image.shape[:2]
    inset = round(0.09 * _SCALE)
    image[round(0.34 * _SCALE) : rows, inset : columns - inset] = (112, 128, 86, 255)
    posters = (
        ((70, 92, 204), (210, 226, 236)), ((212, 206, 190), (90, 70, 60)), ((66, 158, 216), (60, 62, 66)),
        ((150, 118, 70), (226, 226, 216)), ((196, 190, 226), (96, 60, 130)), ((118, 168, 150), (40, 60, 50)),
    )  # fmt: skip
    for index, (paper, ink) in enumerate(posters):
        left = inset + 8 + (index % 2) * round(0.43 * _SCALE)
        top = round((0.5 + 0.74 * (index // 2)) * _SCALE)
        right, bottom = left + round(0.39 * _SCALE), top + round(0.66 * _SCALE)
        cv2.rectangle(image, (left, top), (right, bottom), (*paper, 255), -1)
        cv2.circle(image, ((left + right) // 2, top + round(0.26 * _SCALE)), round(0.12 * _SCALE), (*ink, 255), -1)
        for line in range(3):
            y = top + round((0.46 + 0.06 * line) * _SCALE)
            cv2.line(image, (left + 6, y), (right - 6 - 8 * line, y), (*ink, 255), 2)
    shade = np.interp(np.linspace(-1, 1, columns), [-1, -0.45, 0.2, 1], [0.72, 1.08, 0.98, 0.5])
    image[..., :3] = np.clip(image[..., :3] * shade[None, :, None], 0, 255).astype(np.uint8)
    middle, rim = columns // 2, round(0.34 * _SCALE)
    cv2.ellipse(image, (middle, rim), (columns // 2 - 2, round(0.3 * _SCALE)), 0, 180, 360, (74, 84, 56, 255), -1)
    cv2.rectangle(image, (2, rim), (columns - 3, rim + 9), (58, 68, 44, 255), -1)
    cv2.circle(image, (middle, 7), 7, (58, 68, 44, 255), -1)
    cv2.rectangle(image, (inset - 3, rows - 22), (columns - inset + 3, rows), (70, 76, 70, 255), -1)
    return Prop(image, np.array([x, 0.0, z]), (width, height), _standing(x, z, (0.1, 0.45), (2.6, 0.45), (2.9, 0.2)))


def _lamp(x: float, z: float) -> Prop:
    width, height = 0.6, 4.3
    image = _blank(width, height)
    rows, columns = image.shape[:2]
    middle = columns // 2
    colour = (62, 58, 50, 255)
    cv2.rectangle(image, (middle - 4, 50), (middle + 4, rows), colour, -1)
    cv2.rectangle(image, (middle - 9, rows - 60), (middle + 9, rows), colour, -1)
    cv2.ellipse(image, (middle, 46), (24, 26), 0, 0, 360, (190, 226, 240, 255), -1)
    cv2.ellipse(image, (middle, 34), (27, 22), 0, 180, 360, colour, -1)
    cv2.rectangle(image, (middle - 18, 68), (middle + 18, 74), colour, -1)
    return Prop(image, np.array([x, 0.0, z]), (width, height), _standing(x, z, (0.1, 0.05), (3.9, 0.05), (4.0, 0.2)))


def _tree(x: float, z: float, height: float, rng: np.random.Generator) -> Prop:
    """A trunk and a crown of many leaf blobs, lit from the upper left."""
    width = 0.68 * height
    image = _blank(width, height)
    rows, columns = image.shape[:2]
    middle = columns // 2
    trunk = np.array(
        [[middle - 12, rows], [middle - 8, rows // 2], [middle + 8, rows // 2], [middle + 13, rows]], np.int32
    )
    cv2.fillPoly(image, [trunk], (58, 78, 98, 255))
    cv2.fillPoly(image, [trunk[:, :] + np.array([5, 0], np.int32)], (48, 64, 82, 255))
    base = np.array((70, 124, 96)) + rng.normal(0, 8, 3)
    centre, reach = np.array([columns / 2, rows * 0.36]), np.array([columns * 0.38, rows * 0.28])
    for layer, (shade, count) in enumerate(((0.66, 70), (0.82, 90), (1.0, 90), (1.2, 50))):
        angle, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
        place = centre + np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None] * reach * (1 - 0.1 * layer)
        place -= np.array([0.035 * columns, 0.045 * rows]) * layer * 0.8
        for spot in place:
            tone = base * shade * rng.uniform(0.93, 1.07)
            size = int(rng.uniform(0.045, 0.08) * columns)
            cv2.circle(image, (int(spot[0]), int(spot[1])), size, (*(int(c) for c in tone), 255), -1, cv2.LINE_AA)
    crown = _standing(x, z, (0.48 * height, 0.2 * height), (0.64 * height, 0.28 * height), (0.8 * height, 0.2 * height))
    return Prop(image, np.array([x, 0.0, z]), (width, height), crown + _standing(x, z, (0.1, 0.1), (2.0, 0.08)))


def _planter(x: float, z: float, rng: np.random.Generator) -> Prop:
    """A stone box with flowers."""
    width, height = 1.3, 0.85
    image = _blank(width, height)
    rows, columns = image.shape[:2]
    for shade, count in ((0.75, 40), (1.0, 50)):
        for _ in range(count):
            spot = (int(rng.uniform(0.1, 0.9) * columns), int(rng.uniform(0.14, 0.48) * rows))
            cv2.circle(
                image, spot, int(rng.uniform(5, 9)), (int(66 * shade), int(132 * shade), int(92 * shade), 255), -1
            )
    blossom = ((86, 92, 222), (92, 190, 240), (206, 150, 216))[int(rng.integers(3))]
    for _ in range(26):
        spot = (int(rng.uniform(0.1, 0.9) * columns), int(rng.uniform(0.12, 0.42) * rows))
        cv2.circle(image, spot, 4, (*blossom, 255), -1, cv2.LINE_AA)
    top = round(0.45 * rows)
    cv2.rectangle(image, (6, top), (columns - 7, rows), (150, 160, 166, 255), -1)
    cv2.rectangle(image, (columns // 2, top), (columns - 7, rows), (136, 146, 152, 255), -1)
    cv2.rectangle(image, (0, top), (columns - 1, top + 12), (172, 182, 188, 255), -1)
    centre = np.array([[x - 0.5, 0.25, z], [x + 0.5, 0.25, z]])
    return Prop(image, np.array([x, 0.0, z]), (width, height), [Part(centre, np.array([0.3, 0.3]), (0, 0, 0))])
