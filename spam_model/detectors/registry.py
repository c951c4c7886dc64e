"""Detectors and candidate sources by name, as ``--detector`` takes them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from spam_model.appearance.colour_histogram import ColourHistogram
from spam_model.data.motchallenge import find_sequence, read_detections, read_ground_truth
from spam_model.detectors.base import Appearance, CandidateSource, Detector
from spam_model.detectors.onnx_yolox import OnnxYolox
from spam_model.detectors.simulated import simulate_detections
from spam_model.detectors.sources import ImageDetectorSource, PrecomputedSource
from spam_model.detectors.yolov4_tiny import YoloV4Tiny
from spam_model.errors import InputError
from spam_model.values import Candidates, ClipInfo

DETECTORS = "yolov4-tiny, onnx-yolox:PATH, file, file:PATH or simulated"


def create_detector(
    spec: str, *, class_names: tuple[str, ...] = ("person",), min_score: float = 0.1, device: str = "auto"
) -> Detector:
    """A detector that looks at images: ``yolov4-tiny`` or ``onnx-yolox:PATH``.

    Raises:
        InputError: no such detector, model file or class.
        FetchError, FormatError, DeviceError: as the detector says.
    """
    kind, _, path = spec.partition(":")
    if spec == "yolov4-tiny":
        return YoloV4Tiny(class_names=class_names, min_score=min_score, device=device)
    if kind == "onnx-yolox" and path:
        return OnnxYolox(Path(path), class_names=class_names, min_score=min_score, device=device)
    raise InputError(f"--detector {spec}: no such detector; use {DETECTORS}")


def create_source(
    spec: str,
    *,
    folder: Path | None = None,
    class_names: tuple[str, ...] = ("person",),
    min_score: float = 0.1,
    device: str = "auto",
    seed: int = 0,
    appearance: Appearance | None = None,
) -> CandidateSource:
    """Any detector, with an appearance model (colour histograms by default) on what it finds.

    Args:
        spec: ``yolov4-tiny``, ``onnx-yolox:PATH``, ``file:PATH``, ``file`` (the det/det.txt of ``folder``), or
            ``simulated`` (from the gt/gt.txt of ``folder``, with ``seed``).
        folder: the MOTChallenge sequence folder, where the input is one.
        class_names: what an image detector looks for, of COCO's classes.
        min_score: candidates below this score are left out.
        device: ``auto``, ``cpu`` or ``cuda``, for image detectors.

    Raises:
        InputError: no such detector, or a file that it needs is not there.
        FetchError, FormatError, DeviceError: as the detector says.
    """
    if not 0 <= min_score <= 1:
        raise InputError(f"a score threshold lies between 0 and 1, not at {min_score}")
    appearance = appearance or ColourHistogram()
    kind, _, path = spec.partition(":")
    if kind == "file":
        file = Path(path) if path else _of_sequence(folder, spec, "detections", "det/det.txt")
        return PrecomputedSource(f"file:{file}", partial(read_detections, file, min_score=min_score), appearance)
    if spec == "simulated":
        truth = _of_sequence(folder, spec, "ground_truth", "gt/gt.txt")

        def simulate(info: ClipInfo) -> Candidates:
            return simulate_detections(read_ground_truth(truth, info), seed=seed, min_score=min_score)

        return PrecomputedSource("simulated", simulate, appearance)
    detector = create_detector(spec, class_names=class_names, min_score=min_score, device=device)
    return ImageDetectorSource(detector, appearance)


def _of_sequence(folder: Path | None, spec: str, part: str, name: str) -> Path:
    found: Path | None = getattr(find_sequence(folder), part) if folder is not None and folder.is_dir() else None
    if found is None:
        raise InputError(f"--detector {spec} needs a MOTChallenge sequence folder with {name}; got {folder}")
    return found
