"""Batches of views: batch k of a seed is a function of both, whoever makes it, and whenever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from spam_model.detector_training.augment import Augmentation, view
from spam_model.detector_training.losses import Target
from spam_model.detector_training.samples import Boxes, Samples, drawing

PREFETCHED = 3


@dataclass(frozen=True)
class Views:
    """How views are made.

    Attributes:
        sizes: (width, height) px of the network's input; each batch has one of them.
        batch: B, images in a batch.
    """

    sizes: tuple[tuple[int, int], ...]
    batch: int
    augmentation: Augmentation


@dataclass(frozen=True)
class Batch:
    """``images`` [B, H, W, 3] uint8 BGR, and what is known of each."""

    images: NDArray[np.uint8]
    boxes: tuple[Boxes, ...]

    def targets(self, device: torch.device) -> list[Target]:
        """For the loss."""

        def tensor(array: NDArray[np.floating]) -> Tensor:
            return torch.from_numpy(np.asarray(array, np.float32)).to(device)

        return [
            Target(
                box=tensor(boxes.box),
                class_id=torch.from_numpy(boxes.class_id).to(device),
                weight=tensor(boxes.weight),
                known=tensor(boxes.known),
                ignore=tensor(boxes.ignore),
                rejected=tensor(boxes.rejected),
            )
            for boxes in self.boxes
        ]


def batch_at(samples: Samples, views: Views, seed: int, index: int) -> Batch:
    """The batch of this number."""
    rng = np.random.default_rng([seed, index])
    size = views.sizes[int(rng.integers(len(views.sizes)))]
    draw = drawing(samples)
    made = [view(draw, size, views.augmentation, rng) for _ in range(views.batch)]
    return Batch(np.stack([sample.image for sample in made]), tuple(sample.boxes for sample in made))


@dataclass(frozen=True)
class BatchStream(IterableDataset[Batch]):
    """Batches ``first``, ``first`` + ``stride``, …: each of several processes takes others."""

    samples: Samples
    views: Views
    seed: int
    first: int = 0
    stride: int = 1

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(0)  # of this process, which is not the one that trains
        return (batch_at(self.samples, self.views, self.seed, index) for index in count(self.first, self.stride))

    def in_background(self) -> DataLoader[Batch]:
        """The same batches, made by a second process while the first one trains."""
        return DataLoader(self, batch_size=None, num_workers=1, prefetch_factor=PREFETCHED)
