"""The model behind the bridge's remote backend: requests of ``spam_model.wire`` in, replies out, no HTTP server.

Environment of the function: SPAM_DETECTOR (an image detector, see ``spam_model.detectors.registry``, or ``none`` for a
function that only labels), SPAM_CLASSES (comma-separated), SPAM_MIN_SCORE, SPAM_DEVICE (auto, cpu, cuda) and
SPAM_WEIGHTS (empty for the shipped ones).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from spam_model import wire
from spam_model.detectors.base import CandidateSource
from spam_model.detectors.registry import create_source
from spam_model.device import resolve_device
from spam_model.errors import ConstraintConflict, InputError
from spam_model.labeler import Labeler
from spam_model.values import Candidates, Constraints, LabelResult

BINARY = "application/octet-stream"
JSON = "application/json"
NO_DETECTOR = "none"


class GraphLabeler(Protocol):
    """What is called of ``Labeler``."""

    @property
    def version(self) -> str: ...

    def label(self, candidates: Candidates, constraints: Constraints) -> LabelResult: ...


class Log(Protocol):
    """What is called of ``nuclio_sdk.Logger``."""

    def info_with(self, message: str, **values: object) -> None: ...

    def error_with(self, message: str, **values: object) -> None: ...


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    content_type: str


class Engine:
    """Detector and graph model of one worker. Keeps no state between requests."""

    def __init__(
        self, source: CandidateSource | None, labeler: GraphLabeler, *, spec: str = "", device: str = "cpu"
    ) -> None:
        """
        Args:
            source: of the candidates, None in a function that only labels.
            labeler: the graph model.
            spec: what ``source`` was made from; requests may ask for it by this or by its name.
            device: of the labeler.
        """
        self._source = source
        self._labeler = labeler
        self._spec = spec
        self._device = device

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Engine:
        """Loads detector and model.

        Raises:
            InputError, FormatError, FetchError, DeviceError: as detector and model say; SPAM_MIN_SCORE is no number.
        """
        score = environment.get("SPAM_MIN_SCORE", "0.1")
        try:
            min_score = float(score)
        except ValueError as error:
            raise InputError(f"SPAM_MIN_SCORE={score}: not a number; give one between 0 and 1") from error
        device = environment.get("SPAM_DEVICE", "auto")
        spec = environment.get("SPAM_DETECTOR", "yolov4-tiny")
        classes = tuple(environment.get("SPAM_CLASSES", "person").split(","))
        source = None
        if spec != NO_DETECTOR:
            source = create_source(spec, class_names=classes, min_score=min_score, device=device)
        weights = environment.get("SPAM_WEIGHTS", "")
        labeler = Labeler.load(Path(weights) if weights else None, device)
        return cls(source, labeler, spec=spec, device=str(resolve_device(device)))

    def describe(self) -> wire.Description:
        if self._source is None:
            return wire.Description(self._device, self._labeler.version, NO_DETECTOR)
        return wire.Description(self._source.device, self._labeler.version, self._source.name)

    def candidates(self, request: wire.CandidatesRequest) -> Candidates:
        """The candidates of the request's frames.

        Raises:
            InputError: another detector is expected than is here, or there is none.
            VideoError: an image cannot be used.
        """
        if self._source is None:
            raise InputError("this function has no detector, it only labels; deploy one with a SPAM_DETECTOR")
        if request.detector not in ("", self._spec, self._source.name):
            raise InputError(
                f"this function runs the detector {self._source.name}, not {request.detector}; "
                "deploy one with that SPAM_DETECTOR, or ask for this one"
            )
        pairs = zip(request.frames, request.images, strict=True)
        images = [wire.decode_image(image, frame, request.info) for frame, image in pairs]
        candidates = self._source.detect_frames(images, request.frames, request.info)
        return candidates.take(candidates.score >= request.min_score)

    def label(self, request: wire.LabelRequest) -> LabelResult:
        return self._labeler.label(request.candidates, request.constraints)


def respond(engine: Engine, method: str, body: object, log: Log) -> Reply:
    """Answers one event: GET describes, POST computes. Only what the request itself did wrong is told to the caller."""
    if method == "GET":
        return Reply(200, wire.description_to_bytes(engine.describe()), JSON)
    if not isinstance(body, bytes):
        return _refusal(400, "FormatError", f"the body was sent as JSON; send {BINARY}")
    try:
        request = wire.request_from_bytes(body)
        log.info_with("request", operation=type(request).__name__, digest=wire.digest(request), bytes=len(body))
        if isinstance(request, wire.CandidatesRequest):
            return Reply(200, wire.candidates_reply_to_bytes(engine.candidates(request)), BINARY)
        return Reply(200, wire.label_reply_to_bytes(engine.label(request)), BINARY)
    except InputError as error:
        return _refusal(400, type(error).__name__, str(error))
    except ConstraintConflict as error:
        return _refusal(409, type(error).__name__, str(error))
    except Exception as error:  # what is wrong here is for the log alone: it may hold paths
        log.error_with("request failed", error=repr(error))
        return _refusal(500, "InternalError", f"{type(error).__name__} in the function; its log says more")


def _refusal(status: int, error: str, message: str) -> Reply:
    return Reply(status, json.dumps({"error": error, "message": message}).encode(), JSON)
