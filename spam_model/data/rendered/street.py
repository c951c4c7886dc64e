"""Draws frames of the street and keeps account of who is seen: painter's order, a buffer of who owns each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from spam_model.data.clip import Image
from spam_model.data.rendered import textures
from spam_model.data.rendered.camera import Camera
from spam_model.data.rendered.figure import (
    SUBPIXEL,
    Outline,
    Part,
    build_figure,
    fixed_point,
    outlines,
    shadow_outlines,
)
from spam_model.data.rendered.props import Prop, make_props
from spam_model.data.rendered.walks import Walker
from spam_model.values.candidates import FloatArray

OVERSAMPLING = 2  # frames are drawn this much larger and reduced
_PROP = 255
_SHADE = 0.44  # share of the light that a shadow takes
_SKY_MARGIN = 1.4


@dataclass(frozen=True)
class Sighting:
    """One person in one frame.

    Attributes:
        walker: who.
        box: [4] x1 y1 x2 y2 in px around the whole figure, hidden or not, also beyond the image.
        inside: share of the figure that lies in the image, hidden or not.
        visibility: share of the figure that is seen.
    """

    walker: int
    box: FloatArray
    inside: float
    visibility: float


class Street:
    """One scene; its surfaces are drawn once, then warped into each frame."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self._size = (width * OVERSAMPLING, height * OVERSAMPLING)
        self._ground = textures.draw_ground(rng)
        self._houses = textures.draw_houses(rng)
        self._sky = textures.draw_sky(round(self._size[0] * _SKY_MARGIN), self._size[1] // 2, rng)
        self._props = make_props(rng)
        self._vignette = _vignette(width, height)

    def render(self, camera: Camera, walkers: list[Walker], frame: int) -> tuple[Image, list[Sighting]]:
        """The picture [height, width, 3] BGR, and who is in it. ``camera`` is that of the oversampled picture."""
        canvas = self._background(camera)
        figures = {index: build_figure(walker.outfit, walker.pose(frame)) for index, walker in enumerate(walkers)}
        figures = {index: parts for index, parts in figures.items() if self._in_view(parts, camera)}
        casters = list(figures.values()) + [prop.shadow for prop in self._props]
        self._cast_shadows(canvas, casters, camera)

        owner = np.zeros(canvas.shape[:2], np.uint8)
        drawn = {index: outlines(parts, camera) for index, parts in figures.items()}
        queue: list[tuple[float, int | Prop]] = [
            (float(camera.depth(parts[-1].centre).mean()), index) for index, parts in figures.items()
        ]
        queue += [(float(camera.depth(prop.foot)), prop) for prop in self._props]
        for _, item in sorted(queue, key=lambda entry: -entry[0]):
            if isinstance(item, Prop):
                _paste(canvas, owner, item, camera)
            else:
                for outline in drawn[item]:
                    points = fixed_point(outline.points)
                    cv2.fillConvexPoly(canvas, points, outline.colour, cv2.LINE_AA, SUBPIXEL)
                    cv2.fillConvexPoly(owner, points, item + 1, cv2.LINE_8, SUBPIXEL)
        picture = cv2.resize(canvas, None, fx=1 / OVERSAMPLING, fy=1 / OVERSAMPLING, interpolation=cv2.INTER_AREA)
        picture = cv2.multiply(picture, self._vignette, scale=1 / 255)
        return np.asarray(picture, np.uint8), [_sight(index, lines, owner) for index, lines in drawn.items()]

    def _in_view(self, parts: list[Part], camera: Camera) -> bool:
        points = camera.project(np.concatenate([part.centre for part in parts]))
        ahead = float(camera.depth(parts[-1].centre).mean())
        margin = 0.3 * camera.focal / max(ahead, 1.0)  # px
        low, high = points.min(axis=0), points.max(axis=0)
        inside = (high > -margin).all() and (low < np.array(self._size) + margin).all()
        return bool(ahead > 1.5 and inside)

    def _background(self, camera: Camera) -> Image:
        width, height = self._size
        pan = np.arctan2(camera.rotation[2, 0], camera.rotation[2, 2])
        left = round((self._sky.shape[1] - width) / 2 + 0.5 * camera.focal * np.tan(pan))
        canvas = np.empty((height, width, 3), np.uint8)
        canvas[: len(self._sky)] = self._sky[:, left : left + width]
        unit = 1 / textures.HOUSE_SCALE
        corner = np.array([textures.HOUSES_X[0], textures.HOUSES_HEIGHT, textures.GROUND_Z[1]])
        plane = camera.plane(corner, np.array([unit, 0, 0]), np.array([0, -unit, 0]))
        facades = cv2.warpPerspective(self._houses, plane, (width, height // 2))
        cv2.copyTo(facades[..., :3], np.where(facades[..., 3] > 127, 255, 0).astype(np.uint8), canvas[: height // 2])
        unit = 1 / textures.GROUND_SCALE
        corner = np.array([textures.GROUND_X[0], 0.0, textures.GROUND_Z[1]])
        plane = camera.plane(corner, np.array([unit, 0, 0]), np.array([0, 0, -unit]))
        cv2.warpPerspective(self._ground, plane, (width, height), dst=canvas, borderMode=cv2.BORDER_TRANSPARENT)
        return canvas

    def _cast_shadows(self, canvas: Image, casters: list[list[Part]], camera: Camera) -> None:
        light = np.full(canvas.shape[:2], 255, np.uint8)
        shade = int(255 * (1 - _SHADE))
        for parts in casters:
            for points in shadow_outlines(parts, camera):
                cv2.fillConvexPoly(light, fixed_point(points), shade, cv2.LINE_AA, SUBPIXEL)
        light = cv2.GaussianBlur(light, (0, 0), 1.5)
        cv2.multiply(canvas, cv2.merge([light, light, light]), dst=canvas, scale=1 / 255)


def _paste(canvas: Image, owner: Image, prop: Prop, camera: Camera) -> None:
    """Blends the prop's picture in, upright, at the scale of its distance."""
    foot = camera.project(prop.foot)
    scale = camera.focal / float(camera.depth(prop.foot))  # px/m
    width, height = prop.size[0] * scale, prop.size[1] * scale
    corner = np.array([foot[0] - width / 2, foot[1] - height])
    low = np.floor(corner).astype(int)
    high = np.ceil(corner + np.array([width, height])).astype(int)
    low_in, high_in = np.maximum(low, 0), np.minimum(high, (canvas.shape[1], canvas.shape[0]))
    if (high_in <= low_in).any():
        return
    rows, columns = prop.image.shape[:2]
    shift = corner - low_in
    warp = np.array([[width / columns, 0, shift[0]], [0, height / rows, shift[1]]])
    size = (int(high_in[0] - low_in[0]), int(high_in[1] - low_in[1]))
    picture = cv2.warpAffine(prop.image, warp, size, flags=cv2.INTER_LINEAR)
    place = (slice(low_in[1], high_in[1]), slice(low_in[0], high_in[0]))
    alpha = picture[..., 3:].astype(np.float32) / 255
    canvas[place] = (canvas[place] * (1 - alpha) + picture[..., :3] * alpha).astype(np.uint8)
    owner[place][picture[..., 3] > 127] = _PROP


def _sight(walker: int, lines: list[Outline], owner: Image) -> Sighting:
    """Counts the figure's pixels: all of them, those in the image, those that it owns."""
    points = np.concatenate([line.points for line in lines])
    low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int) + 1
    stencil = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    for line in lines:
        cv2.fillConvexPoly(stencil, fixed_point(line.points - low), 1, cv2.LINE_8, SUBPIXEL)
    height, width = owner.shape
    inside = stencil[max(0, -low[1]) : max(0, height - low[1]), max(0, -low[0]) : max(0, width - low[0])]
    seen = owner[max(0, low[1]) : max(0, high[1]), max(0, low[0]) : max(0, high[0])] == walker + 1
    total = int(stencil.sum())
    box = np.concatenate([points.min(axis=0), points.max(axis=0)]) / OVERSAMPLING
    return Sighting(walker, box, int(inside.sum()) / total, int(seen.sum()) / total)


def _vignette(width: int, height: int) -> Image:
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    light = 255 * (1 - 0.1 * np.clip(x[None] ** 2 + y[:, None] ** 2 - 0.6, 0, 2))
    return np.repeat(light.astype(np.uint8)[..., None], 3, axis=2)
