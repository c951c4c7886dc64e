"""Appearance without weights: colour histograms of horizontal stripes of the box.

Six stripes from top to bottom; in each a histogram of lightness and one of chroma in CIE Lab, filled softly (a pixel
between two bin centres counts for both) and weighted towards the middle of the box, where there is less background.
The embedding is the square root of all of them, scaled to unit length, so that the inner product of two embeddings is
the mean Bhattacharyya coefficient Σ √(p·q) of their histograms, and their distance the Hellinger distance.

On TUD-Campus it tells same from different person with AUC 0.79 across gaps of 1 s and more (0.84 from 0.2 s on); three
stripes, joint Lab, HSV and BGR histograms of the same size reach 0.75 to 0.78.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from spam_model.data.clip import Image
from spam_model.values.candidates import FloatArray

_STRIPES = 6
_LIGHTNESS_BINS = 7
_CHROMA_BINS = 3  # on each of the two axes
_CHROMA_SCALE = 15.0  # Lab units: clothes are mostly greyish, so resolve chroma near grey
_CENTRAL_WIDTH = 0.8  # of the box
_COLUMNS, _ROWS = 16, 48  # px that a crop is reduced to
_COLUMN_WEIGHT = np.exp(-0.5 * (np.linspace(-1, 1, 2 * _COLUMNS + 1)[1::2] / 0.5) ** 2).astype(np.float32)


class ColourHistogram:
    """[n, 4] boxes -> [n, 96] embeddings, about 0.2 ms a box on one core."""

    name = "colour-histogram"
    dimension = _STRIPES * (_LIGHTNESS_BINS + _CHROMA_BINS**2)

    def embed(self, image: Image, boxes: FloatArray) -> NDArray[np.float32]:
        """Embeds what the boxes show.

        Args:
            image: [H, W, 3] uint8 BGR.
            boxes: [n, 4] x1 y1 x2 y2 in px; a box may reach beyond the image.

        Returns:
            [n, 96] float32, L2-normalised.
        """
        if len(boxes) == 0:
            return np.zeros((0, self.dimension), np.float32)
        crops = np.stack([_crop(image, box) for box in boxes])  # [n, R, C, 3]
        n = len(crops)
        lab = cv2.cvtColor(crops.reshape(n * _ROWS, _COLUMNS, 3), cv2.COLOR_BGR2LAB).astype(np.float32)
        lab = lab.reshape(n, _STRIPES, -1, 3)  # [n, S, P, 3]
        weight = np.tile(_COLUMN_WEIGHT, _ROWS // _STRIPES)  # [P], sums to the same in every stripe
        weight = weight / weight.sum()

        chroma = np.tanh((lab[..., 1:] - 128) / _CHROMA_SCALE) / 2 + 0.5
        across = _soft_bins(chroma[..., 0], _CHROMA_BINS) * weight[:, None]  # [n, S, P, B]
        joint = across.swapaxes(-1, -2) @ _soft_bins(chroma[..., 1], _CHROMA_BINS)  # [n, S, B, B]
        lightness = weight @ _soft_bins(lab[..., 0] / 255, _LIGHTNESS_BINS)  # [n, S, L]
        histogram = np.concatenate([lightness.reshape(n, -1), joint.reshape(n, -1)], axis=1)  # [n, 96]
        root = np.sqrt(np.maximum(histogram, 0))
        return np.asarray(root / np.linalg.norm(root, axis=1, keepdims=True), np.float32)


def _crop(image: Image, box: FloatArray) -> Image:
    """The central part of the box that lies in the image, [R, C, 3]; at least the pixel nearest to it."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    margin = (1 - _CENTRAL_WIDTH) / 2 * (x2 - x1)
    left = int(np.clip(round(x1 + margin), 0, width - 1))
    right = int(np.clip(round(x2 - margin), left + 1, width))
    top = int(np.clip(round(y1), 0, height - 1))
    bottom = int(np.clip(round(y2), top + 1, height))
    reduced = cv2.resize(image[top:bottom, left:right], (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.uint8)


def _soft_bins(value: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Values in 0 … 1 -> [..., count] shares of the two bins whose centres they lie between."""
    place = np.clip(value, 0, 1)[..., None] * np.float32(count - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(place - np.arange(count))), np.float32)
