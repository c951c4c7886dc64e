"""Detectors, appearance models and candidate sources by name, as ``--detector`` and ``--appearance`` take them.

What a name needs is imported when it is asked for, so that an extra that is not installed hurts nobody else.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from spam_model.appearance.colour_histogram import ColourHistogram
from spam_model.appearance.no_appearance import NoAppearance
from spam_model.data.motchallenge import find_sequence, read_detections, read_ground_truth
from spam_model.detectors.base import Appearance, CandidateSource, Detector
from spam_model.detectors.joint import JointDetector
from spam_model.detectors.simulated import simulate_detections
from spam_model.detectors.sources import ImageDetectorSource, JointDetectorSource, PrecomputedSource
from spam_model.errors import InputError
from spam_model.values import Candidates, ClipInfo

DETECTORS = (
    "yolov4-tiny[:WEIGHTS], small:WEIGHTS, yolox-nano|tiny|s|m|l|x[:CHECKPOINT.pth], onnx-yolox:PATH, "
    "openvino:PATH.xml, file, file:PATH or simulated"
)
APPEARANCES = "auto, joint, joint:DETECTOR, colour-histogram, openvino:PATH.xml, resnet:PATH or none"


def create_detector(
    spec: str, *, class_names: tuple[str, ...] = ("person",), min_score: float = 0.1, device: str = "auto"
) -> Detector:
    """A detector that looks at images: any of ``DETECTORS`` but the last three.

    Raises:
        InputError: no such detector, model file or class.
        FetchError, FormatError, DeviceError: as the detector says.
    """
    kind, _, path = spec.partition(":")
    if kind == "yolov4-tiny":
        from spam_model.detectors.yolov4_tiny import YoloV4Tiny

        weights = Path(path) if path else None
        return YoloV4Tiny(class_names=class_names, min_score=min_score, device=device, weights=weights)
    if kind.startswith("yolox-"):
        from spam_model.detectors.yolox import Yolox

        size, checkpoint = kind.removeprefix("yolox-"), Path(path) if path else None
        return Yolox(size, checkpoint, class_names=class_names, min_score=min_score, device=device)
    if kind == "small" and path:
        from spam_model.detectors.small import Small

        return Small(Path(path), class_names=class_names, min_score=min_score, device=device)
    if kind == "onnx-yolox" and path:
        from spam_model.detectors.onnx_yolox import OnnxYolox

        return OnnxYolox(Path(path), class_names=class_names, min_score=min_score, device=device)
    if kind == "openvino" and path:
        from spam_model.detectors.openvino_detector import OpenVinoDetector

        return OpenVinoDetector(Path(path), class_names=class_names, min_score=min_score, device=device)
    raise InputError(f"--detector {spec}: no such detector; use {DETECTORS}")


def create_appearance(spec: str, *, device: str = "auto", detector: Detector | None = None) -> Appearance:
    """A model that embeds boxes: any of ``APPEARANCES``.

    Args:
        spec: ``auto`` and ``joint`` are the embedding head of ``detector``; without one ``auto`` is colour histograms.
        device: ``auto``, ``cpu`` or ``cuda``.
        detector: that finds the boxes, where an image detector does.

    Raises:
        InputError: no such model or file, or ``joint`` of a detector without an embedding head.
        FetchError, FormatError, DeviceError: as the model says.
    """
    kind, _, path = spec.partition(":")
    if kind == "joint" and path:
        detector = create_detector(path, device=device)
    if kind in ("joint", "auto") and isinstance(detector, JointDetector) and detector.dimension:
        return detector
    if kind == "joint":
        name = "what finds the boxes here" if detector is None else detector.name
        raise InputError(f"--appearance {spec}: {name} has no embedding head; use joint:yolov4-tiny, or auto")
    if spec in ("auto", "colour-histogram"):
        return ColourHistogram()
    if spec == "none":
        return NoAppearance()
    if kind == "openvino" and path:
        from spam_model.appearance.openvino_reid import OpenVinoReid

        return OpenVinoReid(Path(path))
    if kind == "resnet" and path:
        from spam_model.appearance.resnet_reid import ResNetReid

        return ResNetReid(Path(path), device=device)
    raise InputError(f"--appearance {spec}: no such appearance model; use {APPEARANCES}")


def create_source(
    spec: str,
    *,
    folder: Path | None = None,
    class_names: tuple[str, ...] = ("person",),
    min_score: float = 0.1,
    device: str = "auto",
    seed: int = 0,
    appearance: str = "auto",
) -> CandidateSource:
    """Any detector, with an appearance model on what it finds.

    Args:
        spec: any of ``DETECTORS``; ``file`` reads the det/det.txt of ``folder``, ``simulated`` draws from its gt/gt.txt
            with ``seed``.
        folder: the MOTChallenge sequence folder, where the input is one.
        class_names: what an image detector looks for, of COCO's classes.
        min_score: candidates below this score are left out.
        device: ``auto``, ``cpu`` or ``cuda``, for what looks at images.
        appearance: any of ``APPEARANCES``.

    Raises:
        InputError: no such detector or appearance model, or a file that it needs is not there.
        FetchError, FormatError, DeviceError: as the detector or the appearance model says.
    """
    if not 0 <= min_score <= 1:
        raise InputError(f"a score threshold lies between 0 and 1, not at {min_score}")
    kind, _, path = spec.partition(":")
    if kind == "file":
        file = Path(path) if path else _of_sequence(folder, spec, "detections", "det/det.txt")
        embeds = create_appearance(appearance, device=device)
        return PrecomputedSource(f"file:{file}", partial(read_detections, file, min_score=min_score), embeds)
    if spec == "simulated":
        truth = _of_sequence(folder, spec, "ground_truth", "gt/gt.txt")

        def simulate(info: ClipInfo) -> Candidates:
            return simulate_detections(read_ground_truth(truth, info), seed=seed, min_score=min_score)

        return PrecomputedSource("simulated", simulate, create_appearance(appearance, device=device))
    detector = create_detector(spec, class_names=class_names, min_score=min_score, device=device)
    return source_of(detector, create_appearance(appearance, device=device, detector=detector))


def source_of(detector: Detector, appearance: Appearance) -> CandidateSource:
    """One pass where the detector itself is the appearance model, else one after the other."""
    if isinstance(detector, JointDetector) and appearance is detector:
        return JointDetectorSource(detector)
    return ImageDetectorSource(detector, appearance)


def _of_sequence(folder: Path | None, spec: str, part: str, name: str) -> Path:
    found: Path | None = getattr(find_sequence(folder), part) if folder is not None and folder.is_dir() else None
    if found is None:
        raise InputError(f"--detector {spec} needs a MOTChallenge sequence folder with {name}; got {folder}")
    return found
