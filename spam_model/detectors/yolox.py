"""YOLOX (Ge et al., "YOLOX: Exceeding YOLO Series in 2021") as a detector of COCO's classes, or people.

Takes the official checkpoints (0.1.1), ByteTrack's, and those that ``spam-model finetune-detector`` makes.
"""

from __future__ import annotations

from pathlib import Path

from spam_model.detectors.fetch import fetch_weights
from spam_model.detectors.pyramid_detector import PyramidDetector
from spam_model.detectors.yolox_checkpoint import PixelFormat, YoloxCheckpoint, read_checkpoint, yolox_config
from spam_model.device import resolve_device

_SMALL_SIDE, _SIDE = 416, 640  # px, of the square input of nano and tiny, and of the others
_VIDEO_INPUT = {"x": (800, 1440), "l": (800, 1440), "m": (800, 1440)}  # ByteTrack's, height and width
_SMALL_VIDEO_INPUT = (608, 1088)


class Yolox(PyramidDetector):
    """Of one size and one checkpoint."""

    def __init__(
        self,
        size: str,
        checkpoint: Path | None = None,
        *,
        class_names: tuple[str, ...] = ("person",),
        min_score: float = 0.1,
        max_iou: float = 0.7,
        device: str = "auto",
        input_size: tuple[int, int] | None = None,
        head: Path | None = None,
    ) -> None:
        """Reads the network.

        Args:
            size: nano, tiny, s, m, l or x.
            checkpoint: by default the official one, fetched where it is not in the cache.
            class_names: those to look for, of the checkpoint's: COCO's, or person.
            min_score: in [0, 1].
            max_iou: of two boxes of a class that both stay.
            device: auto, cpu or cuda.
            input_size: height and width of the network's input, multiples of 32; by default what the checkpoint was
                trained for.
            head: of ``spam-model distill``; without one ``dimension`` is 0.

        Raises:
            InputError: no such size, checkpoint, class or head, or an input that cannot be.
            FetchError: the official checkpoint cannot be fetched.
            FormatError: it is no checkpoint of this size, or the head is of another detector.
            DeviceError: the device is not there.
        """
        yolox_config(size)
        torch_device = resolve_device(device)
        path = fetch_weights(f"yolox-{size}") / f"yolox_{size}.pth" if checkpoint is None else checkpoint
        read = read_checkpoint(path, size)
        super().__init__(
            f"yolox-{size}" if checkpoint is None else f"yolox-{size}:{checkpoint.name}",
            read.network,
            read.pixel_format.prepare,
            read.class_names,
            class_names=class_names,
            min_score=min_score,
            max_iou=max_iou,
            device=torch_device,
            input_size=input_size or _trained_size(size, read),
            head=head,
        )


def _trained_size(size: str, read: YoloxCheckpoint) -> tuple[int, int]:
    if len(read.class_names) == 1 and read.pixel_format is PixelFormat.IMAGENET:  # ByteTrack's
        return _VIDEO_INPUT.get(size, _SMALL_VIDEO_INPUT)
    side = _SMALL_SIDE if size in ("nano", "tiny") else _SIDE
    return side, side
