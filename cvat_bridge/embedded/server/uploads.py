"""Upload of local files to a task: multipart as the SDK sends it, TUS for large ones, then data creation."""

import base64
import binascii
import re
import uuid
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import creation, database, permissions
from cvat_bridge.embedded.server.context import db, object_body, on_commit, server, user
from cvat_bridge.embedded.server.media import DataOptions
from cvat_bridge.embedded.server.replies import (
    NOT_FOUND_PAGE,
    ApiError,
    empty,
    out_of_scope,
    refuse,
    refuse_required,
    reply,
)

blueprint = Blueprint("uploads", __name__)

_LARGEST_FILE = 26843545600
_BLOCK = 2**20
TUS_HEADERS = {
    "Tus-Resumable": "1.0.0",
    "Tus-Version": "1.0.0",
    "Tus-Extension": "",
    "Tus-Max-Size": str(_LARGEST_FILE),
    "Access-Control-Expose-Headers": "Tus-Resumable,upload-length,upload-metadata,Location,Upload-Offset",
}
_SORTING = ("lexicographical", "natural", "predefined", "random")


def _folder(task_id: int) -> Path:
    folder = server().media / str(task_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _base_name(name: str) -> str:
    """The SDK sends full local paths; only the last part is kept, and it cannot lead anywhere else."""
    base = PureWindowsPath(PurePosixPath(name).name).name
    if base in ("", ".", "..") or "\0" in base:
        refuse({"client_files": [f"{name!r} is no file name"]})
    return base


@blueprint.route("/api/tasks/<int:key>/data", methods=["OPTIONS"], strict_slashes=False)
def tus_options(key: int) -> Response:
    permissions.task(key)
    return empty(204, TUS_HEADERS)


@blueprint.post("/api/tasks/<int:key>/data", strict_slashes=False)
def upload(key: int) -> Response:
    permissions.task(key)
    if database.one(db(), "SELECT id FROM media WHERE task_id = ?", key) is not None:
        refuse("Adding more data is not supported")
    _check_not_running(key)
    if "Upload-Start" in request.headers:
        server().frames.remove(key)  # what an upload that failed has left
        return empty(202)
    if "Upload-Multiple" in request.headers:
        return _store_files(key)
    if "Upload-Length" in request.headers:
        return _create_tus_upload(key)
    options = _options(object_body())
    if "Upload-Finish" not in request.headers:
        out_of_scope("data creation without Upload-Start, Upload-Multiple and Upload-Finish")
    return _start_creation(key, options)


def _check_not_running(task_id: int) -> None:
    row = database.one(db(), "SELECT status FROM requests WHERE id = ?", creation.request_id(task_id))
    if row is not None and row["status"] in creation.RUNNING:
        raise ApiError(409, {"detail": "Data creation of this task is running already."})


def _store_files(task_id: int) -> Response:
    for part in request.files.values():
        part.save(_folder(task_id) / _base_name(part.filename or ""))
    return empty(200)


def _start_creation(task_id: int, options: DataOptions) -> Response:
    _folder(task_id)
    server().creations.submit(db(), task_id, user().id)
    creations = server().creations
    on_commit(lambda: creations.start(task_id, options))
    return reply({"rq_id": creation.request_id(task_id)}, 202)


def _options(body: dict[str, Any]) -> DataOptions:
    if "image_quality" not in body:
        refuse_required("image_quality")
    for name in ("server_files", "remote_files", "cloud_storage_id", "validation_params"):
        if body.get(name):
            out_of_scope(f"{name!r} of a task's data")
    text = body.get("frame_filter") or ""
    if text and not re.fullmatch(r"step\s*=\s*[1-9]\d*", text):
        refuse({"frame_filter": ["Invalid frame filter expression"]})
    sorting = body.get("sorting_method")
    if sorting is not None and sorting not in _SORTING:
        refuse({"sorting_method": [f'"{sorting}" is not a valid choice.']})
    if sorting == "random":
        out_of_scope("sorting_method 'random'")
    mapping = body.get("job_file_mapping")
    return DataOptions(
        image_quality=_number(body, "image_quality", 0, 100) or 0,
        chunk_size=_number(body, "chunk_size", 1),
        start_frame=_number(body, "start_frame", 0) or 0,
        stop_frame=_number(body, "stop_frame", 0),
        frame_filter=text,
        sorting_method=sorting,
        upload_file_order=tuple(body.get("upload_file_order") or ()),
        job_file_mapping=tuple(map(tuple, mapping)) if mapping is not None else None,
    )


def _number(body: dict[str, Any], name: str, least: int, most: int | None = None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int):
        refuse({name: ["A valid integer is required."]})
    if value < least:
        refuse({name: [f"Ensure this value is greater than or equal to {least}."]})
    if most is not None and value > most:
        refuse({name: [f"Ensure this value is less than or equal to {most}."]})
    return value


def _create_tus_upload(task_id: int) -> Response:
    length, name = request.headers["Upload-Length"], _tus_file_name()
    if not length.isdecimal():
        refuse({"Upload-Length": ["A valid integer is required."]})
    if int(length) > _LARGEST_FILE:
        raise ApiError(413, {"detail": "The file is too large."})
    key = f"{user().id}_{uuid.uuid4()}"
    database.insert(db(), "uploads", id=key, task_id=task_id, filename=name, length=int(length))
    (_folder(task_id) / name).write_bytes(b"")
    location = f"{request.host_url}api/tasks/{task_id}/data/{key}"
    return empty(201, {**TUS_HEADERS, "Location": location, "Upload-Filename": name})


def _tus_file_name() -> str:
    entries = (entry.split() for entry in request.headers.get("Upload-Metadata", "").split(","))
    values = {entry[0]: entry[1] for entry in entries if len(entry) == 2}
    try:
        name = base64.b64decode(values["filename"], validate=True).decode()
    except (KeyError, binascii.Error, UnicodeDecodeError):
        refuse({"Upload-Metadata": ["a filename in base64 is expected"]})
    return _base_name(name)


def _tus_upload(task_id: int, key: str) -> tuple[Path, int]:
    permissions.task(task_id)
    row = database.one(db(), "SELECT * FROM uploads WHERE id = ? AND task_id = ?", key, task_id)
    if row is None:
        raise ApiError(404, NOT_FOUND_PAGE)
    return _folder(task_id) / row["filename"], row["length"]


@blueprint.route("/api/tasks/<int:task_id>/data/<key>", methods=["HEAD"])
def tus_offset(task_id: int, key: str) -> Response:
    path, length = _tus_upload(task_id, key)
    progress = {"Upload-Offset": str(path.stat().st_size), "Upload-Length": str(length)}
    return empty(200, {**TUS_HEADERS, **progress})


@blueprint.patch("/api/tasks/<int:task_id>/data/<key>")
def tus_part(task_id: int, key: str) -> Response:
    path, length = _tus_upload(task_id, key)
    offset = path.stat().st_size
    if request.headers.get("Upload-Offset") != str(offset):
        return empty(409, TUS_HEADERS)
    if offset + (request.content_length or 0) > length:
        return empty(413, TUS_HEADERS)
    with path.open("ab") as file:
        while block := request.stream.read(_BLOCK):
            file.write(block)
    return empty(204, {**TUS_HEADERS, "Upload-Offset": str(path.stat().st_size)})
