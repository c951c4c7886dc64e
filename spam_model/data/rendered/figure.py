"""A walking person as solid parts: each part is the convex hull of a few balls, in one colour.

Hulls of balls are enough for limbs (two balls), a torso (shoulders and hips), a skirt, a coat or a backpack, are cheap
to project from any side, and cast a shadow by the same means: the balls slide along the light onto the ground.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from spam_model.data.rendered.camera import Camera
from spam_model.values.candidates import FloatArray, IntArray

Colour = tuple[int, int, int]  # BGR

_RING = np.linspace(0, 2 * np.pi, 14, endpoint=False)
_CIRCLE = np.stack([np.cos(_RING), np.sin(_RING)], axis=1)  # [14, 2]
LIGHT = np.array([0.55, -1.0, 0.35])  # direction of the sunlight, per m of height
THIGH, SHIN = 0.245, 0.235  # heights of the person
LEG = THIGH + SHIN
SUBPIXEL = 4  # bits, of OpenCV's drawing functions


@dataclass(frozen=True)
class Outfit:
    """How a person looks; ``height`` in m, ``build`` scales the girth."""

    height: float
    build: float
    skin: Colour
    hair: Colour
    top: Colour
    legs: Colour
    shoes: Colour
    long_hair: bool = False
    short_sleeves: bool = False
    skirt: bool = False
    coat: bool = False
    backpack: Colour | None = None


@dataclass(frozen=True)
class Pose:
    """Where a person is: ``x``, ``z`` m, ``heading`` rad (0 = +X, π/2 = +Z), gait ``phase`` rad, ``swing`` rad."""

    x: float
    z: float
    heading: float
    phase: float
    swing: float


@dataclass(frozen=True)
class Part:
    """Balls at ``centre`` [B, 3] m with ``radius`` [B] m. ``nearer`` m are taken off its depth in painter's order."""

    centre: FloatArray
    radius: FloatArray
    colour: Colour
    nearer: float = 0.0


@dataclass(frozen=True)
class Outline:
    """A filled polygon [K, 2] px."""

    points: FloatArray
    colour: Colour


def build_figure(outfit: Outfit, pose: Pose) -> list[Part]:
    """The parts of a person in the world."""
    parts = _body(outfit, pose) + _head(outfit, pose.phase)
    ahead = np.array([np.cos(pose.heading), 0.0, np.sin(pose.heading)])
    side = np.array([np.sin(pose.heading), 0.0, -np.cos(pose.heading)])
    frame = np.stack([ahead, np.array([0.0, 1.0, 0.0]), side])  # rows: where body axes point in the world
    place = np.array([pose.x, 0.0, pose.z])
    scale = outfit.height
    return [replace(part, centre=place + scale * part.centre @ frame, radius=scale * part.radius) for part in parts]


def outlines(parts: list[Part], camera: Camera) -> list[Outline]:
    """Parts as polygons in painter's order, each with a lighter one where the light falls on it."""
    axes = np.stack([camera.right, camera.up])
    toward_light = -0.28 * camera.right + 0.12 * camera.up
    order = sorted(parts, key=lambda part: -(float(camera.depth(part.centre).mean()) - part.nearer))
    lit = [Part(p.centre + p.radius[:, None] * toward_light, 0.62 * p.radius, p.colour) for p in order]
    result = []
    for part, whole, light in zip(order, _hulls(order, axes, camera), _hulls(lit, axes, camera), strict=True):
        result.append(Outline(whole, _shade(part.colour, 0.86)))
        result.append(Outline(light, _shade(part.colour, 1.06)))
    return result


def shadow_outlines(parts: list[Part], camera: Camera) -> list[FloatArray]:
    """What the parts hide from the sun on the ground, as polygons [K, 2] px."""
    ground = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    cast = [replace(part, centre=part.centre - part.centre[:, 1:2] * LIGHT / LIGHT[1]) for part in parts]
    return _hulls(cast, ground, camera)


def fixed_point(points: FloatArray) -> IntArray:
    """[K, 2] px -> the integers that OpenCV draws with ``shift=SUBPIXEL``."""
    return np.asarray(np.round(points * 2**SUBPIXEL), np.int32)


def _hulls(parts: list[Part], axes: FloatArray, camera: Camera) -> list[FloatArray]:
    """Each part's hull in the image, its balls taken as discs spanned by ``axes`` [2, 3]."""
    centre = np.concatenate([part.centre for part in parts])
    radius = np.concatenate([part.radius for part in parts])
    rim = centre[:, None] + radius[:, None, None] * (_CIRCLE @ axes)  # [B, 14, 3]
    points = camera.project(rim).astype(np.float32)  # [B, 14, 2]
    split = np.split(points, np.cumsum([len(part.radius) for part in parts])[:-1])
    return [np.asarray(cv2.convexHull(balls.reshape(-1, 2))[:, 0], np.float64) for balls in split]


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (int(min(255, channel * factor)) for channel in colour)
    return blue, green, red


def _part(colour: Colour, *balls: tuple[FloatArray, float], nearer: float = 0.0) -> Part:
    return Part(np.array([centre for centre, _ in balls]), np.array([radius for _, radius in balls]), colour, nearer)


def _at(ahead: float, up: float, side: float) -> FloatArray:
    return np.array([ahead, up, side])


def _body(outfit: Outfit, pose: Pose) -> list[Part]:
    """Everything below the head; body coordinates (ahead, up, side) in heights of the person."""
    girth = outfit.build
    bob = 0.018 * np.cos(2 * pose.phase) * min(1.0, pose.swing / 0.4)
    sleeve = outfit.skin if outfit.short_sleeves else outfit.top
    hip, shoulder = 0.52 + bob, 0.805 + bob
    parts = []
    for side, phase in ((-1.0, pose.phase), (1.0, pose.phase + np.pi)):
        thigh = _thigh(phase, pose.swing)
        shin = thigh - 1.9 * pose.swing * max(0.0, np.cos(phase)) ** 2 - 0.04
        top = _at(0, hip, 0.048 * side)
        knee = top + THIGH * _at(np.sin(thigh), -np.cos(thigh), 0)
        ankle = knee + SHIN * _at(np.sin(shin), -np.cos(shin), 0)
        toe = ankle + 0.085 * _at(np.cos(shin * 0.6), np.sin(shin * 0.6) - 0.2, 0)
        bare = outfit.skin if outfit.skirt else outfit.legs
        parts.append(_part(outfit.shoes, (ankle, 0.026), (toe, 0.016), nearer=-0.02))
        parts.append(_part(bare, (knee, 0.036 * girth), (ankle, 0.024)))
        parts.append(_part(bare, (top, 0.055 * girth), (knee, 0.037 * girth)))

        arm = -0.85 * pose.swing * np.sin(phase)
        fore = arm + 0.25 + 0.5 * pose.swing
        root = _at(0, shoulder, 0.108 * side * girth)
        elbow = root + 0.165 * _at(np.sin(arm), -np.cos(arm), 0.12 * side)
        hand = elbow + 0.15 * _at(np.sin(fore), -np.cos(fore), 0)
        parts.append(_part(outfit.skin, (hand, 0.021), (elbow + 0.9 * (hand - elbow), 0.02)))
        parts.append(_part(sleeve, (elbow, 0.027 * girth), (elbow + 0.85 * (hand - elbow), 0.022)))
        parts.append(_part(outfit.top, (root, 0.036 * girth), (elbow, 0.028 * girth)))

    shoulders = [(_at(0, shoulder - 0.01, 0.085 * girth * side), 0.047 * girth) for side in (-1, 1)]
    hips = [(_at(0, hip + 0.02, 0.048 * girth * side), 0.062 * girth) for side in (-1, 1)]
    parts.append(_part(outfit.top, *shoulders, *hips, nearer=0.02))
    parts.append(_part(outfit.skin, (_at(0.0, shoulder + 0.02, 0), 0.03), (_at(0.01, shoulder + 0.07, 0), 0.03)))
    waist = [(_at(0, hip + 0.05, 0.04 * girth * side), 0.06 * girth) for side in (-1, 1)]
    if outfit.skirt:
        flare = 0.5 * pose.swing * np.sin(pose.phase)
        hem = [(_at(-flare * 0.06 * side, hip - 0.2, 0.06 * side), 0.062 * girth) for side in (-1, 1)]
        parts.append(_part(outfit.legs, *waist, *hem, nearer=0.16))
    if outfit.coat:
        hem = [(_at(-0.01, hip - 0.19, 0.062 * girth * side), 0.056 * girth) for side in (-1, 1)]
        parts.append(_part(outfit.top, *waist, *hem, nearer=0.16))
    if outfit.backpack is not None:
        pack = [(_at(-0.085, height, 0.04 * side), 0.045) for height in (0.62, 0.77) for side in (-1, 1)]
        parts.append(_part(outfit.backpack, *pack, nearer=0.01))
    return parts


def _thigh(phase: float, swing: float) -> float:
    """Angle of the thigh: a sine while the leg swings ahead; while it stands, the foot goes back at an even pace."""
    turn = (phase - np.pi / 2) % (2 * np.pi)
    reach = 1 - 2 * turn / np.pi if turn < np.pi else np.sin(phase)
    return float(np.arcsin(reach * np.sin(swing)))


def _head(outfit: Outfit, phase: float) -> list[Part]:
    top = 0.928 + 0.008 * np.cos(2 * phase)
    parts = [
        _part(outfit.skin, (_at(0.02, top - 0.006, 0), 0.054), (_at(0.026, top - 0.025, 0), 0.044), nearer=0.05),
        _part(outfit.hair, (_at(-0.014, top + 0.014, 0), 0.058), (_at(0.012, top + 0.024, 0), 0.05), nearer=0.04),
    ]
    if outfit.long_hair:
        parts.append(_part(outfit.hair, (_at(-0.03, top, 0), 0.055), (_at(-0.045, top - 0.11, 0), 0.04), nearer=0.04))
    return parts
