"""A detector that pools, a teacher that knows colours, and pictures of people in coloured clothes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from spam_model.appearance.crops import Crops, cut_crops
from spam_model.data.clip import Image
from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.values.candidates import FloatArray


class PoolingStand:
    """Two feature maps: mean colours of cells of 4 and of 8 px."""

    name = "pooling"
    digest = "0"

    def __init__(self) -> None:
        self.looked = 0

    def head_features(self, images: Sequence[Image]) -> FeatureMaps:
        self.looked += len(images)
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        return FeatureMaps((functional.avg_pool2d(pixels, 4), functional.avg_pool2d(pixels, 8)), (4, 8), torch.ones(2))


class ColourTeacher:
    """Mean colours of the upper and the lower half of a crop, as a direction."""

    name = "colours"
    dimension = 6
    size = (32, 16)

    def __init__(self) -> None:
        self.looked = 0

    def embed(self, image: Image, boxes: FloatArray) -> NDArray[np.float32]:
        return self.embed_crops(cut_crops(image, boxes, self.size))

    def embed_crops(self, crops: Crops) -> NDArray[np.float32]:
        self.looked += len(crops)
        halves = crops.reshape(len(crops), 2, 16, 16, 3).mean(axis=(2, 3)).reshape(len(crops), 6) - 115.0
        return np.asarray(halves / np.maximum(np.linalg.norm(halves, axis=1, keepdims=True), 1e-9), np.float32)


def draw_person(rng: np.random.Generator, height: int = 96) -> tuple[Image, FloatArray]:
    """A picture with one person, and the box [1, 4]."""
    image = np.full((height + 40, height, 3), 115, np.uint8)
    left, top = int(rng.integers(5, height // 2)), int(rng.integers(5, 30))
    width = height * 2 // 5
    image[top : top + height // 2, left : left + width] = rng.integers(0, 255, 3)
    image[top + height // 2 : top + height, left : left + width] = rng.integers(0, 255, 3)
    return image, np.array([[left, top, left + width, top + height]], np.float64)


def write_people(folder: Path, count: int) -> Path:
    """A set with images/ and labels/labels.csv."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    rows = ["image,x1,y1,x2,y2,identity,source,score"]
    for index in range(count):
        image, box = draw_person(rng)
        cv2.imwrite(str(folder / "images" / f"{index}.png"), image)
        rows.append(f"{index}.png,{','.join(map(str, box[0]))},-1,human,1.0")
    (folder / "labels" / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder
