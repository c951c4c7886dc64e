"""Changes to a crop that leave the person the same: mirrored, moved, in other light, partly hidden."""

from __future__ import annotations

import cv2
import numpy as np

from spam_model.appearance.recipes import Augmentation
from spam_model.data.clip import Image

MEAN_COLOUR = (104, 116, 124)  # BGR, of ImageNet
_ERASED_SHARE = (0.02, 0.4)  # of the crop's area
_ERASED_ASPECT = 0.3  # height over width at least; at most its inverse
_ERASING_TRIES = 20  # rectangles that may turn out not to fit


def augmented(crop: Image, augmentation: Augmentation, rng: np.random.Generator) -> Image:
    """A changed copy of a crop, [H, W, 3] uint8 BGR of the same size."""
    if rng.random() < augmentation.flip:
        crop = crop[:, ::-1]
    if augmentation.padding:
        crop = _shifted(crop, augmentation.padding, rng)
    if augmentation.jitter:
        crop = _in_other_light(crop, augmentation.jitter, rng)
    crop = np.array(crop)
    if rng.random() < augmentation.erasing:
        _erase(crop, rng)
    return crop


def _shifted(crop: Image, padding: int, rng: np.random.Generator) -> Image:
    height, width = crop.shape[:2]
    padded = np.pad(crop, ((padding, padding), (padding, padding), (0, 0)))
    top, left = rng.integers(0, 2 * padding + 1, 2)
    return padded[top : top + height, left : left + width]


def _in_other_light(crop: Image, jitter: float, rng: np.random.Generator) -> Image:
    brightness, contrast, saturation = rng.uniform(1 - jitter, 1 + jitter, 3).astype(np.float32)
    light = np.ascontiguousarray(crop).astype(np.float32) * brightness
    grey = cv2.cvtColor(light, cv2.COLOR_BGR2GRAY)[..., None]
    light = grey.mean() * (1 - contrast) + light * contrast
    light = grey * (1 - saturation) + light * saturation
    return np.asarray(np.clip(np.round(light), 0, 255), np.uint8)


def _erase(crop: Image, rng: np.random.Generator) -> None:
    """Fills a rectangle that lies in the crop, in place."""
    height, width = crop.shape[:2]
    for _ in range(_ERASING_TRIES):
        area = rng.uniform(*_ERASED_SHARE) * height * width
        aspect = np.exp(rng.uniform(np.log(_ERASED_ASPECT), -np.log(_ERASED_ASPECT)))
        rows, columns = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if 0 < rows < height and 0 < columns < width:
            top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
            crop[top : top + rows, left : left + columns] = MEAN_COLOUR
            return
