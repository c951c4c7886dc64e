"""Requests and replies between the bridge and a function host, as bytes: two operations and a description.

``candidates`` takes encoded frames, ``label`` takes candidates and people's answers. Bodies are safetensors (see
``spam_model.storage``, whose version they carry), images as they came from the server, all else deflated. A request
means the same whenever and however often it is sent, and ``digest`` names it. No HTTP in here, and no pickle.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from spam_model import storage
from spam_model.data.clip import Image
from spam_model.errors import FormatError, VideoError
from spam_model.values import Candidates, ClipInfo, Constraints, LabelResult

MAX_FRAMES = 64  # per request
MAX_PIXELS = 64_000_000  # per image
MAX_INFLATED = 2**30  # bytes per part


@dataclass(frozen=True)
class CandidatesRequest:
    """Frames to look for candidates in.

    Attributes:
        info: the clip they belong to.
        frames: 0-based frame numbers.
        images: their encoded images (PNG, JPEG …).
        detector: the detector that is expected to answer; empty takes whichever is there.
        min_score: in [0, 1]; candidates below it are left out.
    """

    info: ClipInfo
    frames: tuple[int, ...]
    images: tuple[bytes, ...]
    detector: str = ""
    min_score: float = 0.0

    def __post_init__(self) -> None:
        if len(self.frames) != len(self.images) or not 1 <= len(self.frames) <= MAX_FRAMES:
            raise FormatError(
                f"{len(self.frames)} frame numbers and {len(self.images)} images; "
                f"a request has as many of one as of the other, 1 to {MAX_FRAMES}"
            )


@dataclass(frozen=True)
class LabelRequest:
    candidates: Candidates
    constraints: Constraints


@dataclass(frozen=True)
class Description:
    """What a function host says of itself. ``version`` is that of the bytes it reads."""

    device: str
    model: str
    detector: str
    version: int = storage.VERSION


_INFO = TypeAdapter(ClipInfo)
_DESCRIPTION = TypeAdapter(Description)
_STRINGS = TypeAdapter(tuple[str, ...])
_SCORE = TypeAdapter(float)
_T = TypeVar("_T")


def digest(request: CandidatesRequest | LabelRequest) -> str:
    """16 hexadecimal digits of the content and the options: for caches, logs and retries."""
    if isinstance(request, CandidatesRequest):
        head = [_INFO.dump_json(request.info).decode(), request.frames, request.detector, request.min_score]
        parts: Sequence[bytes] = (json.dumps(head).encode(), *request.images)
    else:
        columns = ("frame", "box", "score", "class_id", "embedding", "source", "id")
        arrays = [np.ascontiguousarray(getattr(request.candidates, name)) for name in columns]
        head = [_INFO.dump_json(request.candidates.info).decode(), [(str(a.dtype), a.shape) for a in arrays]]
        parts = (json.dumps(head).encode(), *(array.tobytes() for array in arrays))
        parts = (*parts, storage.constraints_to_bytes(request.constraints))
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()[:16]


def request_to_bytes(request: CandidatesRequest | LabelRequest) -> bytes:
    if isinstance(request, LabelRequest):
        parts = {
            "candidates": storage.candidates_to_bytes(request.candidates),
            "constraints": storage.constraints_to_bytes(request.constraints),
        }
        return storage.pack("request", _deflated(parts), {"operation": "label"})
    arrays: storage.Arrays = {"frame": np.asarray(request.frames, np.int64)}
    arrays |= {f"image.{i}": np.frombuffer(image, np.uint8) for i, image in enumerate(request.images)}
    metadata = {
        "operation": "candidates",
        "info": _INFO.dump_json(request.info).decode(),
        "detector": request.detector,
        "min_score": repr(request.min_score),
    }
    return storage.pack("request", arrays, metadata)


def request_from_bytes(data: bytes) -> CandidatesRequest | LabelRequest:
    """Reads what ``request_to_bytes`` made.

    Raises:
        FormatError: it is no request, or one of a version or an operation that this release does not know.
    """
    arrays, metadata = storage.unpack("request", data)
    operation = metadata.get("operation")
    if operation == "label":
        return LabelRequest(
            storage.candidates_from_bytes(_inflated(arrays, "candidates")),
            storage.constraints_from_bytes(_inflated(arrays, "constraints")),
        )
    if operation != "candidates":
        raise FormatError(f"this release knows no operation {operation!r}; it knows candidates and label")
    frames = _part(arrays, "frame", np.int64)
    if len(frames) > MAX_FRAMES:
        raise FormatError(f"a request holds {len(frames)} frames; send at most {MAX_FRAMES} at once")
    return CandidatesRequest(
        info=_parsed(_INFO, metadata.get("info", ""), "info"),
        frames=tuple(int(frame) for frame in frames),
        images=tuple(_part(arrays, f"image.{i}", np.uint8).tobytes() for i in range(len(frames))),
        detector=metadata.get("detector", ""),
        min_score=_parsed(_SCORE, metadata.get("min_score", ""), "min_score"),
    )


def candidates_reply_to_bytes(candidates: Candidates) -> bytes:
    return storage.pack("reply", _deflated({"candidates": storage.candidates_to_bytes(candidates)}), {})


def candidates_reply_from_bytes(data: bytes) -> Candidates:
    arrays, _ = storage.unpack("reply", data)
    return storage.candidates_from_bytes(_inflated(arrays, "candidates"))


def label_reply_to_bytes(result: LabelResult) -> bytes:
    parts = {
        "candidates": storage.candidates_to_bytes(result.candidates),
        "hierarchy": storage.hierarchy_to_bytes(result.hierarchy),
        "labels": storage.labels_to_bytes(result.labels),
        "unmatched": storage.constraints_to_bytes(Constraints(result.unmatched)),
    }
    return storage.pack("reply", _deflated(parts), {"conflicts": _STRINGS.dump_json(result.conflicts).decode()})


def label_reply_from_bytes(data: bytes) -> LabelResult:
    arrays, metadata = storage.unpack("reply", data)
    return LabelResult(
        candidates=storage.candidates_from_bytes(_inflated(arrays, "candidates")),
        hierarchy=storage.hierarchy_from_bytes(_inflated(arrays, "hierarchy")),
        labels=storage.labels_from_bytes(_inflated(arrays, "labels")),
        conflicts=_parsed(_STRINGS, metadata.get("conflicts", ""), "conflicts"),
        unmatched=storage.constraints_from_bytes(_inflated(arrays, "unmatched")).items,
    )


def description_to_bytes(description: Description) -> bytes:
    """JSON, so that people and health checks can read it."""
    return _DESCRIPTION.dump_json(description)


def description_from_bytes(data: bytes) -> Description:
    return _parsed(_DESCRIPTION, data, "description")


def decode_image(data: bytes, frame: int, info: ClipInfo) -> Image:
    """[H, W, 3] uint8 BGR of an encoded image of the clip.

    Raises:
        VideoError: it does not decode, has more than 64 million pixels, or not the clip's size; the frame is named.
    """
    try:
        with PIL.Image.open(io.BytesIO(data)) as header:  # reads no pixel yet
            width, height = header.size
    except PIL.Image.DecompressionBombError:
        width, height = MAX_PIXELS, 2
    except (OSError, SyntaxError) as error:
        raise VideoError(f"frame {frame} of {info.name!r} is no image ({len(data)} bytes); upload it again") from error
    if width * height > MAX_PIXELS:
        raise VideoError(f"frame {frame} of {info.name!r} has more than {MAX_PIXELS} pixels; scale the frames down")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise VideoError(f"frame {frame} of {info.name!r} is a damaged image ({len(data)} bytes); upload it again")
    height, width = image.shape[:2]
    if (width, height) != (info.width, info.height):
        raise VideoError(
            f"frame {frame} of {info.name!r} is {width}×{height} px, the clip is {info.width}×{info.height}; "
            "bring all frames to one size"
        )
    return np.asarray(image, np.uint8)


def _deflated(parts: Mapping[str, bytes]) -> storage.Arrays:
    return {name: np.frombuffer(zlib.compress(part, 1), np.uint8) for name, part in parts.items()}


def _inflated(arrays: storage.Arrays, name: str) -> bytes:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(_part(arrays, name, np.uint8).tobytes(), MAX_INFLATED)
    except zlib.error as error:
        raise FormatError(f"{name} cannot be inflated: {error}") from error
    if not inflater.eof:
        raise FormatError(f"{name} is cut off, or larger than {MAX_INFLATED} bytes")
    return data


def _part(arrays: storage.Arrays, name: str, dtype: type[np.generic]) -> NDArray[Any]:
    array = arrays.get(name)
    if array is None or array.ndim != 1 or array.dtype != dtype:
        raise FormatError(f"lacks {name}, or it is not a list of {np.dtype(dtype).name}")
    return array


def _parsed(adapter: TypeAdapter[_T], text: str | bytes, name: str) -> _T:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise FormatError(f"{name}: {error.errors()[0]['msg']}") from error
