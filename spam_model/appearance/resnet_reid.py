"""A ResNet as appearance model, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spam_model.appearance.crops import Crops, cut_crops
from spam_model.appearance.reid_weights import load_reid
from spam_model.appearance.resnet import Variant, normalised
from spam_model.data.clip import Image
from spam_model.detectors.batching import FittingBatches
from spam_model.device import resolve_device
from spam_model.values.candidates import FloatArray

_BATCH = {"cpu": 8, "cuda": 256}  # crops


class ResNetReid:
    """Embeddings of a network that ``spam-model train-reid`` or others have trained."""

    def __init__(
        self, path: Path, variant: Variant | None = None, device: str = "auto", *, batch: int | None = None
    ) -> None:
        """Loads a network.

        Args:
            path: weights of ours, or a checkpoint that ``reid_weights`` understands.
            variant: which ResNet it should hold; whichever it holds by default.
            device: ``auto``, ``cpu`` or ``cuda``.
            batch: crops at a time at most; halved where the GPU's memory does not suffice.

        Raises:
            InputError: there is no such file.
            FormatError: it is not such a network's.
            DeviceError: the device is not there.
        """
        self._device = resolve_device(device)
        self._network = load_reid(path, variant).to(self._device)
        self._fitting = FittingBatches()
        self._batch = batch or _BATCH[self._device.type]
        config = self._network.config
        self.name = f"resnet:{path.name}"
        self.device = self._device.type
        self.dimension = config.dimension
        self.size = (config.height, config.width)

    def embed(self, image: Image, boxes: FloatArray) -> NDArray[np.float32]:
        """Image [H, W, 3] uint8 BGR, boxes [n, 4] x1 y1 x2 y2 in px -> [n, D] float32, L2-normalised."""
        return self.embed_crops(cut_crops(image, boxes, self.size))

    def embed_crops(self, crops: Crops) -> NDArray[np.float32]:
        """Crops [n, H, W, 3] uint8 BGR -> [n, D] float32, L2-normalised."""
        vectors: list[NDArray[np.float32]] = []
        for start in range(0, len(crops), self._batch):
            vectors += self._fitting.run(self._forward, list(crops[start : start + self._batch]))
        return np.array(vectors, np.float32).reshape(-1, self.dimension)

    @torch.inference_mode()
    def _forward(self, crops: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        tensor = torch.from_numpy(np.stack(crops)).to(self._device)
        return list(self._network.embed(normalised(tensor)).cpu().numpy())
