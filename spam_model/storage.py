"""Files of ours: arrays as safetensors, small things as JSON; versioned, checked on reading, written atomically.

The same bytes travel between the bridge and a function host. No pickle anywhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from spam_model.errors import FormatError, InputError
from spam_model.values import Candidates, ClipInfo, Constraints, Hierarchy, Labels, Level, MotionEvidence, Query

VERSION = 2  # 2: boxes that people drew have ids below -1; a tracklet's aspect is taken against the usual one
_FORMAT_KEY = "cvat-spam"
_MAX_HEADER_BYTES = 16 * 2**20

Arrays = dict[str, np.ndarray[Any, Any]]
_T = TypeVar("_T")


def pack(kind: str, arrays: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str]) -> bytes:
    """A safetensors body that names its kind and version."""
    header = {**metadata, _FORMAT_KEY: kind, "version": str(VERSION)}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return bytes(safetensors_numpy.save(contiguous, header))


def unpack(kind: str, data: bytes) -> tuple[Arrays, dict[str, str]]:
    """Arrays and metadata of a body made by ``pack``.

    Raises:
        FormatError: not safetensors, another kind, or a version this release does not read.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        if len(data) < 8 or length > min(_MAX_HEADER_BYTES, len(data)):
            raise ValueError("no header")
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        arrays = safetensors_numpy.load(data)
    except (ValueError, SafetensorError, AttributeError) as error:
        raise FormatError(f"not a {kind} file of cvat-spam (unreadable as safetensors: {error})") from error
    if metadata.get(_FORMAT_KEY) != kind:
        raise FormatError(f"expected a {kind} file of cvat-spam, got {metadata.get(_FORMAT_KEY, 'something else')!r}")
    if metadata.get("version") != str(VERSION):
        raise FormatError(f"{kind} file has version {metadata.get('version')}, this release reads version {VERSION}")
    return arrays, metadata


def write_atomically(path: Path, data: bytes) -> None:
    """Writes beside ``path``, then renames: a killed process or a full disk leaves the old file whole."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


_CANDIDATE_ARRAYS = ("frame", "box", "score", "class_id", "embedding", "source", "id")
_MOTION_ARRAYS = ("id", "frame", "box", "visibility")
_LABEL_ARRAYS = ("track", "frame", "box", "class_id", "score", "candidate_id", "occluded", "uncertainty")
_LEVEL_ARRAYS = ("node_of", "edge", "probability", "chosen")
_INFO = TypeAdapter(ClipInfo)
_CONSTRAINTS = TypeAdapter(Constraints)
_QUERIES = TypeAdapter(tuple[Query, ...])


def _pick(arrays: Arrays, names: tuple[str, ...], kind: str, prefix: str = "") -> Arrays:
    missing = [name for name in names if prefix + name not in arrays]
    if missing:
        raise FormatError(f"{kind} file lacks {', '.join(missing)}")
    return {name: arrays[prefix + name] for name in names}


def _validate(adapter: TypeAdapter[_T], text: str | bytes, kind: str) -> _T:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise FormatError(f"{kind}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def candidates_to_bytes(candidates: Candidates) -> bytes:
    arrays: Arrays = {name: getattr(candidates, name) for name in _CANDIDATE_ARRAYS}
    if candidates.motion is not None:
        arrays |= {f"motion.{name}": getattr(candidates.motion, name) for name in _MOTION_ARRAYS}
    if candidates.camera is not None:
        arrays["camera"] = candidates.camera
    return pack("candidates", arrays, {"info": _INFO.dump_json(candidates.info).decode()})


def candidates_from_bytes(data: bytes) -> Candidates:
    arrays, metadata = unpack("candidates", data)
    info = _validate(_INFO, metadata.get("info", ""), "candidates file, info")
    motion = None
    if "motion.id" in arrays:
        motion = MotionEvidence(**_pick(arrays, _MOTION_ARRAYS, "candidates", "motion."))
    camera = arrays.get("camera")
    return Candidates(info=info, **_pick(arrays, _CANDIDATE_ARRAYS, "candidates"), motion=motion, camera=camera)


def write_candidates(path: Path, candidates: Candidates) -> None:
    write_atomically(path, candidates_to_bytes(candidates))


def read_candidates(path: Path) -> Candidates:
    return candidates_from_bytes(read_bytes(path))


def labels_to_bytes(labels: Labels) -> bytes:
    arrays = {name: getattr(labels, name) for name in _LABEL_ARRAYS}
    return pack("labels", arrays, {"info": _INFO.dump_json(labels.info).decode()})


def labels_from_bytes(data: bytes) -> Labels:
    arrays, metadata = unpack("labels", data)
    info = _validate(_INFO, metadata.get("info", ""), "labels file, info")
    return Labels(info=info, **_pick(arrays, _LABEL_ARRAYS, "labels"))


def hierarchy_to_bytes(hierarchy: Hierarchy) -> bytes:
    arrays: Arrays = {
        "node_probability": hierarchy.node_probability,
        "kept": hierarchy.kept,
        "track_of": hierarchy.track_of,
    }
    for position, level in enumerate(hierarchy.levels):
        arrays |= {f"{position}.{name}": getattr(level, name) for name in _LEVEL_ARRAYS}
    shape = [(level.index, level.clip_length) for level in hierarchy.levels]
    return pack("hierarchy", arrays, {"levels": json.dumps(shape)})


def hierarchy_from_bytes(data: bytes) -> Hierarchy:
    arrays, metadata = unpack("hierarchy", data)
    shape = _validate(TypeAdapter(list[tuple[int, int]]), metadata.get("levels", ""), "hierarchy file, levels")
    levels = tuple(
        Level(index=index, clip_length=length, **_pick(arrays, _LEVEL_ARRAYS, "hierarchy", f"{position}."))
        for position, (index, length) in enumerate(shape)
    )
    return Hierarchy(levels=levels, **_pick(arrays, ("node_probability", "kept", "track_of"), "hierarchy"))


def _document(kind: str, body: bytes) -> bytes:
    return json.dumps({_FORMAT_KEY: kind, "version": VERSION, kind: json.loads(body)}, indent=1).encode()


def _read_document(kind: str, data: bytes) -> bytes:
    try:
        document = json.loads(data)
        if document[_FORMAT_KEY] != kind or document["version"] != VERSION:
            raise FormatError(f"expected a {kind} file of version {VERSION}")
        return json.dumps(document[kind]).encode()
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"not a {kind} file of cvat-spam: {error}") from error


def constraints_to_bytes(constraints: Constraints) -> bytes:
    return _document("constraints", _CONSTRAINTS.dump_json(constraints))


def constraints_from_bytes(data: bytes) -> Constraints:
    return _validate(_CONSTRAINTS, _read_document("constraints", data), "constraints")


def queries_to_bytes(queries: tuple[Query, ...]) -> bytes:
    return _document("queries", _QUERIES.dump_json(queries))


def queries_from_bytes(data: bytes) -> tuple[Query, ...]:
    return _validate(_QUERIES, _read_document("queries", data), "queries")
