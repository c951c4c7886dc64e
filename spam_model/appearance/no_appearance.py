"""No appearance at all: embeddings of no numbers, for labels by geometry alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spam_model.data.clip import Image
from spam_model.values.candidates import FloatArray


class NoAppearance:
    """[n, 4] boxes -> [n, 0]."""

    name = "none"
    dimension = 0

    def embed(self, image: Image, boxes: FloatArray) -> NDArray[np.float32]:
        return np.zeros((len(boxes), 0), np.float32)
