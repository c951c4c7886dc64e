"""One update of a detector after another, with the moving average of its weights."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from spam_model.detector_training.batches import Batch
from spam_model.detector_training.losses import detection_loss, drift
from spam_model.detector_training.predictions import DensePrediction
from spam_model.detector_training.trainable import Part, TrainableDetector
from spam_model.training.ranks import Ranks
from spam_model.training.state import TrainingState
from spam_model.values.candidates import FloatArray, IntArray

WEIGHT_DECAY = 5e-4
LARGEST_GRADIENT = 10.0
Tensors = tuple[Tensor, ...] | list[Tensor]
LOSSES = ("box", "objectness", "classes", "drift")


class DetectorTrainer:
    """Holds what changes while training: the weights, their moving average, the optimiser's state.

    Attributes:
        average: the exponential moving average of the network, which is what training gives.
        learning_rate: of the next updates.
    """

    def __init__(
        self,
        detector: TrainableDetector,
        columns: IntArray,
        ranks: Ranks,
        *,
        part: Part = Part.ALL,
        frozen_norms: bool = False,
        averaging: float = 0.998,
        forgetful: bool = True,
        faithfulness: float = 0.0,
    ) -> None:
        """Begins.

        Args:
            detector: whose network is trained in place.
            columns: [K] the classes of the samples among the detector's.
            ranks: this process among all.
            part: of the weights.
            frozen_norms: batch norms keep their statistics.
            averaging, forgetful: see ``moving_average``.
            faithfulness: weight of the drift of the feature maps that other models read, from what they were.
        """
        self._detector = detector
        self._columns = torch.from_numpy(columns)
        self._ranks = ranks
        self._frozen_norms = frozen_norms
        self._faithfulness = faithfulness
        self._before = copy.deepcopy(detector.network).eval().requires_grad_(False) if faithfulness > 0 else None
        self.network = detector.network
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a fifth faster on a CPU
        self.average = AveragedModel(self.network, multi_avg_fn=moving_average(averaging, forgetful), use_buffers=True)
        self._parameters = detector.parameters(part)
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        self._optimizer = torch.optim.AdamW(_groups(self._parameters), weight_decay=WEIGHT_DECAY)
        self.learning_rate = 0.0

    def learn(self, batch: Batch) -> FloatArray:
        """One step down the mean gradient of all processes. [4], the losses named in ``LOSSES``."""
        device = self._ranks.device
        self.network.train()
        if self._frozen_norms:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device)):
            images = torch.from_numpy(batch.images).to(device)
            prediction = self._detector.predict(self.network, images, self._columns.to(device))
            moved = self._drift(images, prediction)
        losses = detection_loss(prediction, batch.targets(device))
        self._optimizer.zero_grad()
        (losses.total + self._faithfulness * moved).backward()  # type: ignore[no-untyped-call]
        self._ranks.average_gradients(self._parameters, has_loss=True)
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate
        nn.utils.clip_grad_norm_(self._parameters, LARGEST_GRADIENT)
        self._optimizer.step()
        self.average.update_parameters(self.network)
        return np.array([part.item() for part in (losses.box, losses.objectness, losses.classes, moved)])

    def _drift(self, images: Tensor, prediction: DensePrediction) -> Tensor:
        if self._before is None:
            return prediction.box.new_zeros(())
        with torch.no_grad():
            before = self._detector.predict(self._before, images, self._columns.to(images.device)).maps
        return drift(prediction.maps, before)

    @property
    def state(self) -> TrainingState:
        """All that changes."""
        return TrainingState(self.network, self.average, self._optimizer)


def moving_average(averaging: float, forgetful: bool) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """What ``AveragedModel`` calls: an exponential moving average; whole numbers are copied.

    After n updates the old average keeps the share ``averaging``, or, where it is ``forgetful``, the smaller one of
    that and (1 + n) / (10 + n), so that nothing is left of where training began.
    """

    @torch.no_grad()
    def update(average: Tensors, current: Tensors, updates: Tensor | int) -> None:
        count = int(updates)
        kept = min(averaging, (1 + count) / (10 + count)) if forgetful else averaging
        for mean, value in zip(average, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - kept)
            else:
                mean.copy_(value)

    return update


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices of bfloat16 faster than those of float32; training then uses both."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # old torch: none
    return bool(capabilities.get("amx_bf16", False))


def _groups(parameters: list[nn.Parameter]) -> list[dict[str, object]]:
    """No weight decay on biases and norms."""
    return [
        {"params": [p for p in parameters if p.dim() > 1]},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
