"""The street's surfaces as images: paving, road, a row of houses, sky; drawn once per clip."""

from __future__ import annotations

import cv2
import numpy as np

from spam_model.data.clip import Image
from spam_model.data.rendered.figure import Colour
from spam_model.values.candidates import FloatArray

GROUND_SCALE = 40  # px/m
GROUND_X, GROUND_Z = (-24.0, 24.0), (1.0, 24.0)  # m
KERB, FAR_KERB = 15.5, 20.5  # m, the road lies between
HOUSE_SCALE = 32  # px/m
HOUSES_X, HOUSES_HEIGHT = (-26.0, 26.0), 11.0  # m

_WALLS = ((168, 200, 226), (150, 180, 214), (186, 206, 196), (206, 196, 176), (140, 168, 216), (196, 214, 230))
_ROOFS = ((74, 84, 124), (92, 88, 90), (66, 78, 106))
_AWNINGS = ((70, 72, 178), (96, 124, 62), (150, 104, 58), (60, 140, 206))
_GLASS: Colour = (150, 132, 112)


def draw_ground(rng: np.random.Generator) -> Image:
    """Paving of the square, kerbs, a road, the far pavement. Row 0 is the far edge."""
    width = round((GROUND_X[1] - GROUND_X[0]) * GROUND_SCALE)
    height = round((GROUND_Z[1] - GROUND_Z[0]) * GROUND_SCALE)
    z = GROUND_Z[1] - (np.arange(height) + 0.5) / GROUND_SCALE
    x = GROUND_X[0] + (np.arange(width) + 0.5) / GROUND_SCALE
    image = np.empty((height, width, 3), np.float32)
    image[:] = (172, 184, 192)
    tile = 0.8  # m
    row, column = np.floor(z / tile).astype(int), np.floor((x[None] + 0.4 * (np.floor(z / tile) % 2)[:, None]) / tile)
    shade = rng.normal(0, 4.5, (64, 96)).astype(np.float32)
    image += shade[row[:, None] % 64, column.astype(int) % 96][..., None]
    band = (row % 6 == 0)[:, None] & np.ones(width, bool)
    image[band] -= (16, 14, 10)
    far = np.clip((z - 5) / 10, 0, 1)[:, None]  # joints fade with distance, where they would only flicker
    in_tile = (x[None] + 0.4 * (np.floor(z / tile) % 2)[:, None]) % tile
    joint = (in_tile < 0.035) | ((z % tile) < 0.035)[:, None]
    image -= (joint * (26 * (1 - 0.8 * far)))[..., None]
    road = (z > KERB) & (z < FAR_KERB)
    image[road] = (112, 108, 106)
    dashes = (np.abs(z - (KERB + FAR_KERB) / 2) < 0.09)[:, None] & ((x % 3.0) < 1.6)
    image[dashes] = (214, 220, 222)
    for edge in (KERB, FAR_KERB):
        image[np.abs(z - edge) < 0.16] = (206, 212, 216)
    image[z > FAR_KERB + 0.16] -= (12, 8, 6)
    grain = cv2.resize(rng.normal(0, 1, (height // 8, width // 8)).astype(np.float32), (width, height))
    image += 2.6 * grain[..., None] + rng.normal(0, 1.6, (height, width, 1)).astype(np.float32)
    return _as_image(image)


def draw_houses(rng: np.random.Generator) -> Image:
    """A row of houses, [h, w, 4] BGRA, transparent above the roofs. Row 0 is the top."""
    width = round((HOUSES_X[1] - HOUSES_X[0]) * HOUSE_SCALE)
    height = round(HOUSES_HEIGHT * HOUSE_SCALE)
    image = np.full((height, width, 4), (224, 204, 178, 0), np.uint8)
    left, walls = 0, rng.permutation(len(_WALLS))
    number = 0
    while left < width:
        right = min(width, left + int(rng.uniform(4.2, 6.6) * HOUSE_SCALE))
        storeys = int(rng.integers(2, 4))
        _house(image[:, left:right], storeys, _WALLS[walls[number % len(walls)]], number, rng)
        left, number = right, number + 1
    return image


def _house(image: Image, storeys: int, wall: Colour, number: int, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    unit = HOUSE_SCALE
    top = height - int((3.0 + 2.4 * (storeys - 1)) * unit)
    image[top:] = (*wall, 255)
    roof = _ROOFS[number % len(_ROOFS)]
    slope = np.array([[0, top], [int(0.5 * unit), top - int(1.3 * unit)]])
    outline = np.array([slope[0], slope[1], [width - 1 - slope[1][0], slope[1][1]], [width - 1, top]], np.int32)
    cv2.fillPoly(image, [outline], (*roof, 255))
    cv2.rectangle(image, (0, top - 3), (width, top + 4), (*_scaled(wall, 1.08), 255), -1)
    columns = max(2, round(width / (1.7 * unit)))
    for storey in range(1, storeys):
        y = height - int((3.0 + 2.4 * (storey - 1) + 1.9) * unit)
        for column in range(columns):
            x = int((column + 0.5) / columns * width)
            _window(image, x, y, int(0.85 * unit), int(1.35 * unit), wall, lit=rng.random() < 0.15)
    cv2.line(image, (0, height - 3 * unit + 6), (width, height - 3 * unit + 6), (*_scaled(wall, 0.86), 255), 3)
    _shop(image, _AWNINGS[number % len(_AWNINGS)], wall, door_left=bool(rng.random() < 0.5))
    shade = np.linspace(0.84, 1.0, max(1, width // 7), dtype=np.float32)[None, :, None]  # a soft edge beside each house
    image[:, : shade.shape[1], :3] = (image[:, : shade.shape[1], :3] * shade).astype(np.uint8)


def _window(image: Image, x: int, y: int, width: int, height: int, wall: Colour, lit: bool) -> None:
    left, right = x - width // 2, x + width // 2
    cv2.rectangle(image, (left - 3, y - 3), (right + 3, y + height + 3), (*_scaled(wall, 1.13), 255), -1)
    cv2.rectangle(image, (left, y), (right, y + height), (*((150, 206, 236) if lit else _GLASS), 255), -1)
    pane = np.array([[left, y + height // 2], [left, y], [left + width // 2, y]], np.int32)
    cv2.fillPoly(image, [pane], (*_scaled(_GLASS, 1.25), 255))
    cv2.line(image, (x, y), (x, y + height), (*_scaled(wall, 1.13), 255), 2)
    cv2.line(image, (left, y + height // 3), (right, y + height // 3), (*_scaled(wall, 1.13), 255), 2)
    cv2.rectangle(image, (left - 5, y + height + 3), (right + 5, y + height + 6), (*_scaled(wall, 0.82), 255), -1)


def _shop(image: Image, awning: Colour, wall: Colour, door_left: bool) -> None:
    height, width = image.shape[:2]
    unit = HOUSE_SCALE
    door = int(0.95 * unit)
    x = int(0.5 * unit) if door_left else width - int(0.5 * unit) - door
    cv2.rectangle(image, (x, height - int(2.15 * unit)), (x + door, height), (*_scaled(awning, 0.5), 255), -1)
    left = x + door + unit // 2 if door_left else unit // 2
    right = width - unit // 2 if door_left else x - unit // 2
    if right - left < unit:
        return
    cv2.rectangle(image, (left, height - int(2.1 * unit)), (right, height - int(0.55 * unit)), (112, 98, 84, 255), -1)
    cv2.rectangle(
        image, (left, height - int(2.1 * unit)), (right, height - int(0.55 * unit)), (*_scaled(wall, 0.7), 255), 2
    )
    low, high = height - int(0.7 * unit), height - 2 * unit
    shine = np.array([[left + 6, low], [left + unit, high], [left + unit + 9, high], [left + 15, low]], np.int32)
    cv2.fillPoly(image, [shine], (140, 128, 116, 255))
    stripes = max(4, (right - left) // 12)
    for stripe in range(stripes):
        a, b = (left + (right - left) * k // stripes for k in (stripe, stripe + 1))
        colour = awning if stripe % 2 else (226, 230, 232)
        y = height - int(2.55 * unit)
        points = np.array([[a, y], [b, y], [b + 2, y + int(0.55 * unit)], [a + 2, y + int(0.55 * unit)]], np.int32)
        cv2.fillPoly(image, [points], (*colour, 255))


def draw_sky(width: int, height: int, rng: np.random.Generator) -> Image:
    """A light gradient with thin clouds, [height, width, 3]."""
    fade = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = (1 - fade) * np.array((222, 184, 142), np.float32) + fade * np.array((236, 224, 208), np.float32)
    cloud = np.zeros((height, width), np.float32)
    for octave in (4, 8, 16):
        noise = rng.normal(0, 1, (octave, octave * 2)).astype(np.float32)
        cloud += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / octave
    cover = np.clip((cloud / cloud.std() - 0.3) * 0.4, 0, 0.7)[..., None]
    return _as_image(sky * (1 - cover) + cover * np.array((248, 246, 244), np.float32))


def _scaled(colour: Colour, factor: float) -> Colour:
    blue, green, red = (int(min(255, channel * factor)) for channel in colour)
    return blue, green, red


def _as_image(value: FloatArray) -> Image:
    return np.clip(value, 0, 255).astype(np.uint8)
