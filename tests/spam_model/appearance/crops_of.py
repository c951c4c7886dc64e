"""Small synthetic people: an identity is a pair of colours, a crop one of it in other light and with other noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from spam_model.appearance.reid_data import IdentityCrops

SIZE = (64, 32)


def person(identity: int, view: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """[H, W, 3] uint8 BGR."""
    colours = np.random.default_rng(identity).integers(30, 220, (2, 3))
    rng = np.random.default_rng((identity, view))
    height, width = size
    image = np.full((height, width, 3), rng.integers(0, 255, 3), np.float64)
    margin, waist = width // 5, height // 2 + rng.integers(-height // 16, height // 16 + 1)
    image[height // 10 : waist, margin:-margin] = colours[0]
    image[waist : -height // 16, margin:-margin] = colours[1]
    image = image * rng.uniform(0.8, 1.2) + rng.normal(0, 10, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def people(identities: int, views: int, first: int = 0) -> IdentityCrops:
    """In memory."""
    crops = [person(first + identity, view) for identity in range(identities) for view in range(views)]
    return IdentityCrops("synthetic", np.repeat(np.arange(identities), views), lambda index: crops[index])


def market_folder(folder: Path, identities: int, views: int) -> Path:
    """As files, beside two crops of nobody."""
    folder.mkdir(parents=True, exist_ok=True)
    for identity in range(1, identities + 1):
        for view in range(views):
            name = f"{identity:04d}_c{view % 6 + 1}s1_{view:06d}_01.jpg"
            cv2.imwrite(str(folder / name), person(identity, view))
    for name in ("0000_c1s1_000001_01.jpg", "-1_c1s1_000002_01.jpg"):
        cv2.imwrite(str(folder / name), person(0, 0))
    return folder
