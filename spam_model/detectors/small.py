"""``small``: a detector of people of our own, trained from random weights by ``spam-model train-detector``.

Boxes and embeddings come from one forward pass, where a head was distilled for it (``spam-model distill``).
"""

from __future__ import annotations

from pathlib import Path

from spam_model.detectors.pyramid_detector import PyramidDetector
from spam_model.detectors.small_network import CLASS_NAMES, normalised, small_network
from spam_model.detectors.trained_weights import load_trained
from spam_model.device import resolve_device

INPUT_SIZE = (320, 320)  # px, height and width; near the sizes that it is trained at
HEAD_SUFFIX = ".head.safetensors"


class Small(PyramidDetector):
    """Class probability times objectness as score. A box may reach beyond the image."""

    def __init__(
        self,
        weights: Path,
        *,
        class_names: tuple[str, ...] = CLASS_NAMES,
        min_score: float = 0.1,
        max_iou: float = 0.7,
        device: str = "auto",
        head: Path | None = None,
        input_size: tuple[int, int] = INPUT_SIZE,
    ) -> None:
        """Reads the network, and the head where there is one.

        Args:
            weights: of ``spam-model train-detector`` or ``finetune-detector``.
            class_names: person; it knows no other.
            min_score: in [0, 1].
            max_iou: of two boxes that both stay.
            device: auto, cpu or cuda.
            head: of ``spam-model distill``; by default the one beside the weights, small.head.safetensors beside
                small.safetensors, where it is there. Without a head ``dimension`` is 0.
            input_size: height and width of the network's input, multiples of 32.

        Raises:
            InputError: there is no such file, or another class is asked for.
            FormatError: the weights or the head are of another detector.
            DeviceError: the device is not there.
        """
        network = small_network()
        load_trained(weights, "small", network)
        beside = weights.with_suffix(HEAD_SUFFIX)
        super().__init__(
            "small",
            network,
            normalised,
            CLASS_NAMES,
            class_names=class_names,
            min_score=min_score,
            max_iou=max_iou,
            device=resolve_device(device),
            input_size=input_size,
            head=beside if head is None and beside.is_file() else head,
        )
