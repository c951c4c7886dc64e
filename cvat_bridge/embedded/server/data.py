"""Frames, chunks, previews and meta of tasks and jobs."""

import json
import sqlite3
import zlib
from typing import Any

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import database, permissions
from cvat_bridge.embedded.server.context import db, object_body, server
from cvat_bridge.embedded.server.frames import Encoded
from cvat_bridge.embedded.server.media import files_of
from cvat_bridge.embedded.server.replies import empty, fail_as_cvat_does, not_found, refuse, reply

blueprint = Blueprint("data", __name__)

_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


def _media(task_id: int) -> sqlite3.Row:
    """CVAT fails on a task that has no data yet."""
    row = database.one(db(), "SELECT * FROM media WHERE task_id = ?", task_id)
    if row is None:
        fail_as_cvat_does()
    return row


def _whole(media: sqlite3.Row) -> range:
    return range(media["size"])


def _part(job: sqlite3.Row) -> range:
    return range(job["start_frame"], job["stop_frame"] + 1)


def _send(encoded: Encoded, headers: dict[str, str] | None = None) -> Response:
    return Response(encoded.content, headers=headers, content_type=encoded.content_type)


def preview_reply(task: sqlite3.Row | None, frame: int = 0) -> Response:
    media = database.one(db(), "SELECT * FROM media WHERE task_id = ?", task["id"]) if task is not None else None
    if media is None:
        not_found("Data")
    return _send(server().frames.preview(media, frame))


def _number(name: str) -> int:
    try:
        return int(request.args[name])
    except ValueError:
        fail_as_cvat_does()


def _is_original() -> bool:
    quality = request.args.get("quality", "compressed")
    if quality not in ("compressed", "original"):
        refuse(["Wrong quality value"])
    return quality == "original"


def _check_kind() -> str:
    kind = request.args.get("type", "")
    if kind not in ("frame", "chunk", "context_image"):
        refuse(["Data type not specified or has wrong value"])
    if "number" not in request.args and not (kind == "chunk" and "index" in request.args):
        refuse(["Number is not specified"])
    return kind


def _send_chunk(media: sqlite3.Row, numbers: range, original: bool) -> Response:
    encoded = server().frames.chunk(media, numbers, original)
    checksum = str(zlib.crc32(encoded.content))
    return _send(encoded, {"X-Checksum": checksum, "X-Updated-Date": media["updated_date"]})


def _no_context_images() -> Response:
    response = empty(200)
    response.set_data(_EMPTY_ZIP)
    return response


@blueprint.get("/api/tasks/<int:key>/data", strict_slashes=False)
def task_data(key: int) -> Response:
    permissions.task(key)
    if request.method == "HEAD":
        fail_as_cvat_does()
    kind, original, media = _check_kind(), _is_original(), _media(key)
    if kind == "context_image":
        return _no_context_images()
    number, size = _number("number"), media["size"]
    if kind == "frame":
        if number not in _whole(media):
            refuse(f"Invalid frame '{number}'. The frame number should be in the [0, {size}] range")
        return _send(server().frames.frame(media, number, original))
    last = (size - 1) // media["chunk_size"]
    if not 0 <= number <= last:
        refuse(f"Invalid chunk number '{number}'. The chunk number should be in the [0, {last}] range")
    return _send_chunk(media, _chunk(_whole(media), number, media["chunk_size"]), original)


def _chunk(frames: range, index: int, length: int) -> range:
    return frames[index * length : (index + 1) * length]


@blueprint.get("/api/jobs/<int:key>/data", strict_slashes=False)
def job_data(key: int) -> Response:
    job = permissions.job(key)
    kind, original, media = _check_kind(), _is_original(), _media(job["task_id"])
    if kind == "context_image":
        return _no_context_images()
    if kind == "frame":
        number = _number("number")
        if number not in _part(job):
            refuse(f"Incorrect requested frame number: {number}")
        return _send(server().frames.frame(media, number, original))
    return _send_chunk(media, _job_chunk(job, media["chunk_size"]), original)


def _job_chunk(job: sqlite3.Row, length: int) -> range:
    """``index`` counts chunks from the first frame of the job, ``number`` those of the task."""
    frames = _part(job)
    if "index" in request.args:
        index, first, last = _number("index"), 0, (len(frames) - 1) // length
    else:
        index, first, last = _number("number"), frames[0] // length, frames[-1] // length
    if not first <= index <= last:
        refuse([f"Invalid chunk number '{index}'. The chunk number should be in the [{first}, {last}] range"])
    if "index" in request.args:
        return _chunk(frames, index, length)
    return range(max(frames[0], index * length), min(frames[-1] + 1, (index + 1) * length))


@blueprint.get("/api/tasks/<int:key>/preview")
def task_preview(key: int) -> Response:
    return preview_reply(permissions.task(key))


@blueprint.get("/api/jobs/<int:key>/preview")
def job_preview(key: int) -> Response:
    job = permissions.job(key)
    return preview_reply(permissions.task_of(job), job["start_frame"])


def _meta(media: sqlite3.Row, frames: range) -> dict[str, Any]:
    """``start_frame`` and ``stop_frame`` are numbers of the source, ``deleted_frames`` those of the task."""
    is_video = media["kind"] == "video"
    files = files_of(media["files"])
    shown = files if is_video else files[frames[0] : frames[-1] + 1]
    start, step = media["start_frame"], media["step"]
    return {
        "chapters": [] if is_video else None,
        "chunks_updated_date": media["updated_date"],
        "chunk_size": media["chunk_size"],
        "size": len(frames),
        "image_quality": media["image_quality"],
        "start_frame": start + frames[0] * step,
        "stop_frame": start + frames[-1] * step,
        "frame_filter": media["frame_filter"],
        "frames": [
            {
                "width": file.width,
                "height": file.height,
                "name": file.name,
                "related_files": 0,
                "has_related_context": False,
            }
            for file in shown
        ],
        "deleted_frames": [number for number in json.loads(media["deleted_frames"]) if number in frames],
        "included_frames": None,
        "storage": "local",
        "cloud_storage_id": None,
    }


def _given_deleted_frames() -> list[int] | None:
    body = object_body()
    if "deleted_frames" not in body:
        return None
    given = body["deleted_frames"]
    if not isinstance(given, list):
        refuse({"deleted_frames": [f'Expected a list of items but got type "{type(given).__name__}".']})
    errors = {}
    for place, number in enumerate(given):
        if not isinstance(number, int):
            errors[str(place)] = ["A valid integer is required."]
        elif number < 0:
            errors[str(place)] = ["Ensure this value is greater than or equal to 0."]
    if errors:
        refuse({"deleted_frames": errors})
    return given


def _set_deleted_frames(media: sqlite3.Row, frames: range, given: list[int]) -> None:
    kept = [number for number in json.loads(media["deleted_frames"]) if number not in frames]
    database.update(db(), "media", media["id"], deleted_frames=json.dumps(sorted({*kept, *given})))


@blueprint.get("/api/tasks/<int:key>/data/meta")
def task_meta(key: int) -> Response:
    permissions.task(key)
    media = _media(key)
    return reply(_meta(media, _whole(media)))


@blueprint.patch("/api/tasks/<int:key>/data/meta")
def change_task_meta(key: int) -> Response:
    permissions.task(key)
    media, given = _media(key), _given_deleted_frames()
    if given is not None:
        unknown = [number for number in given if number not in _whole(media)]
        if unknown:
            text = ", ".join(map(str, unknown))
            refuse({"deleted_frames": [f"Unknown frames {text} requested for removal"]})
        _set_deleted_frames(media, _whole(media), given)
    return task_meta(key)


@blueprint.get("/api/jobs/<int:key>/data/meta")
def job_meta(key: int) -> Response:
    job = permissions.job(key)
    return reply(_meta(_media(job["task_id"]), _part(job)))


@blueprint.patch("/api/jobs/<int:key>/data/meta")
def change_job_meta(key: int) -> Response:
    job = permissions.job(key)
    media, given = _media(job["task_id"]), _given_deleted_frames()
    if given is not None:
        foreign = [number for number in given if number not in _part(job)]
        if foreign:
            refuse([f"Frames {', '.join(map(str, foreign))} do not belong to the job"])
        _set_deleted_frames(media, _part(job), given)
    return job_meta(key)
