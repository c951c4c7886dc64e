"""Exports of a task's annotations through the request API: asked for, polled, fetched. One format, no images."""

from __future__ import annotations

import io
import sqlite3
import xml.etree.ElementTree as ET
import zipfile
from datetime import datetime

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import database, labels, permissions
from cvat_bridge.embedded.server.annotations import merged_annotations
from cvat_bridge.embedded.server.context import db, user
from cvat_bridge.embedded.server.cvat_xml import ExportedLabel, video_xml
from cvat_bridge.embedded.server.media import files_of
from cvat_bridge.embedded.server.replies import ApiError, Html, out_of_scope, refuse, reply

blueprint = Blueprint("exports", __name__)

FORMAT = "CVAT for video 1.1"


def request_id(task_id: int) -> str:
    name = FORMAT.replace(" ", "_").replace(".", "~")
    return f"action=export&target=task&target_id={task_id}&user_id={user().id}&format={name}&subresource=annotations"


@blueprint.post("/api/tasks/<int:key>/dataset/export")
def export_task(key: int) -> Response:
    """Written at once; CVAT queues it, so that clients must poll either way."""
    task = permissions.task(key)
    if request.args.get("format") != FORMAT:
        _refuse_format(request.args.get("format", ""))
    if request.args.get("save_images", "false").lower() == "true":
        out_of_scope("an export with images")
    moment = database.now()
    name = f"task_{key}_annotations_{moment[:19].translate(str.maketrans('-T:', '___'))}_{FORMAT.lower()}.zip"
    db().execute(
        "INSERT OR REPLACE INTO exports (id, task_id, owner_id, format, file_name, content, created_date)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (request_id(key), key, user().id, FORMAT, name, _archive(task), moment),
    )
    return reply({"rq_id": request_id(key)}, 202)


def _refuse_format(name: str) -> None:
    """Formats that CVAT has and this server has not are out of scope; unknown ones are refused in CVAT's words."""
    if name.startswith(("CVAT", "COCO", "MOT", "MOTS", "Datumaro", "YOLO", "PASCAL", "Ultralytics", "KITTI")):
        out_of_scope(f"the export format {name!r}")
    refuse(["Unknown format specified for the request"])


@blueprint.get("/api/tasks/<int:key>/dataset/download")
def download(key: int) -> Response:
    permissions.task(key)
    row = database.one(db(), "SELECT * FROM exports WHERE id = ? AND task_id = ?", request.args.get("rq_id", ""), key)
    if row is None:
        raise ApiError(404, {"detail": "Not found."})
    response = Response(row["content"], content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{row["file_name"]}"'
    return response


def _archive(task: sqlite3.Row) -> bytes:
    media = database.one(db(), "SELECT * FROM media WHERE task_id = ?", task["id"])
    found, data = merged_annotations(task)
    if media is None:
        raise ApiError(400, Html("Exporting annotations from a task without data is not allowed"))
    known = {
        row["id"]: ExportedLabel(
            row["name"],
            row["color"],
            row["type"],
            {
                spec["id"]: (spec["name"], bool(spec["mutable"]), spec["default_value"])
                for spec in database.rows(db(), "SELECT * FROM attributes WHERE label_id = ? ORDER BY id", row["id"])
            },
        )
        for row in _labels_of(task)
    }
    text = video_xml(_meta(task, media, found, known), data, known, media["size"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("annotations.xml", text)
    return buffer.getvalue()


def _labels_of(task: sqlite3.Row) -> list[sqlite3.Row]:
    holder = labels.holder_of_task(task)
    return database.rows(db(), f"SELECT * FROM labels WHERE {holder[0]} = ? ORDER BY id", holder[1])


def _meta(
    task: sqlite3.Row, media: sqlite3.Row, jobs: list[sqlite3.Row], known: dict[int, ExportedLabel]
) -> ET.Element:
    meta = ET.Element("meta")
    about = _texts(
        ET.SubElement(meta, "task"),
        {
            "id": task["id"],
            "name": task["name"],
            "size": media["size"],
            "mode": task["mode"],
            "overlap": task["overlap"],
            "bugtracker": task["bug_tracker"],
            "created": _moment(task["created_date"]),
            "updated": _moment(task["updated_date"]),
            "subset": task["subset"] or "default",
            "start_frame": media["start_frame"],
            "stop_frame": media["start_frame"] + (media["size"] - 1) * media["step"],
            "frame_filter": media["frame_filter"],
        },
    )
    segments = ET.SubElement(about, "segments")
    for job in jobs:
        url = f"{request.host_url}api/jobs/{job['id']}"
        bounds = {"id": job["id"], "start": job["start_frame"], "stop": job["stop_frame"], "url": url}
        _texts(ET.SubElement(segments, "segment"), bounds)
    owner = {"username": task["owner"] or "", "email": f"{task['owner']}@localhost.local" if task["owner"] else ""}
    _texts(ET.SubElement(about, "owner"), owner)
    ET.SubElement(about, "assignee").text = task["assignee"] or ""
    listed = ET.SubElement(about, "labels")
    for label in known.values():
        _texts(ET.SubElement(listed, "label"), {"name": label.name, "color": label.color, "type": label.type})
    first = files_of(media["files"])[0]
    _texts(ET.SubElement(about, "original_size"), {"width": first.width, "height": first.height})
    ET.SubElement(about, "source").text = first.name
    ET.SubElement(meta, "dumped").text = _moment(database.now())
    return meta


def _texts(parent: ET.Element, texts: dict[str, object]) -> ET.Element:
    for name, text in texts.items():
        ET.SubElement(parent, name).text = str("" if text is None else text)
    return parent


def _moment(text: str) -> str:
    return str(datetime.fromisoformat(text))
