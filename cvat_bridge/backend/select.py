"""The backend that ``--backend local|http://host:port`` and ``--detector`` name."""

from __future__ import annotations

from pathlib import Path

from cvat_bridge.backend.local import LocalBackend
from cvat_bridge.backend.precomputed import PrecomputedBackend
from cvat_bridge.backend.protocol import Backend
from cvat_bridge.backend.remote import RemoteBackend
from spam_model.detectors.base import CandidateSource
from spam_model.detectors.registry import create_source
from spam_model.errors import InputError
from spam_model.labeler import Labeler


def is_precomputed(detector: str) -> bool:
    """Whether candidates are known before a pixel is seen, from a file or simulated: they never go to a function."""
    return detector.partition(":")[0] in ("file", "simulated")


def open_backend(
    spec: str,
    *,
    detector: str = "yolov4-tiny",
    class_names: tuple[str, ...] = ("person",),
    min_score: float = 0.1,
    device: str = "auto",
    weights: Path | None = None,
    concurrency: int = 4,
    source: CandidateSource | None = None,
) -> Backend:
    """Opens ``local`` or the function at a URL; a remote one has its own classes, device and weights.

    ``source`` of the candidates goes before ``detector``; with a remote backend, only the graph is then sent.

    Raises:
        InputError: ``spec`` is neither, or there is no such detector.
        SpamError: the local detector or model cannot be loaded.
    """
    is_local = spec == "local"
    if not is_local and not spec.startswith(("http://", "https://")):
        raise InputError(f"--backend {spec}: give local, or the address of a function, http://host:port")
    if source is None and (is_local or is_precomputed(detector)):
        source = create_source(detector, class_names=class_names, min_score=min_score, device=device)
    if source is None:
        return RemoteBackend(spec, concurrency=concurrency, detector=detector, min_score=min_score)
    if is_local:
        return LocalBackend(source, Labeler.load(weights, device))
    return PrecomputedBackend(source, RemoteBackend(spec, concurrency=concurrency))
