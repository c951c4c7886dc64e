"""Tasks."""

import sqlite3
from typing import Any

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import database, labels, pages, permissions
from cvat_bridge.embedded.server.context import db, object_body, on_commit, server, user
from cvat_bridge.embedded.server.replies import empty, forbidden, out_of_scope, refuse, refuse_required, reply
from cvat_bridge.embedded.server.users import basic_json, existing_id

blueprint = Blueprint("tasks", __name__)

_LISTING = pages.Listing(
    {
        "id": pages.NUMBER,
        "project_id": pages.NUMBER,
        "name": pages.TEXT,
        "project_name": pages.TEXT,
        "owner": pages.TEXT,
        "assignee": pages.TEXT,
        "subset": pages.TEXT,
        "mode": pages.TEXT,
        "status": ("annotation", "validation", "completed"),
        "dimension": ("2d", "3d"),
        "updated_date": pages.TEXT,
    },
    ("name", "project_name", "owner", "assignee", "subset", "mode", "status"),
)
_CHANGEABLE = ("name", "bug_tracker", "subset", "assignee_id", "labels")
_ONLY_CVAT = ("owner_id", "project_id", "organization_id", "target_storage", "source_storage", "data_storage")
_JOB_COUNTS = """
SELECT COUNT(*) AS count, TOTAL(stage = 'acceptance' AND state = 'completed') AS completed,
  TOTAL(stage = 'validation') AS validation FROM jobs WHERE task_id = ?
"""


def _as_json(row: sqlite3.Row) -> dict[str, Any]:
    key, api = row["id"], f"{request.host_url}api"
    counts = database.one(db(), _JOB_COUNTS, key)
    assert counts is not None
    names = (
        *("id", "name", "project_id", "mode", "bug_tracker", "created_date", "updated_date", "overlap", "guide_id"),
        *("segment_size", "subset", "status", "dimension"),
    )
    jobs = {name: int(counts[name]) for name in ("count", "completed", "validation")}
    return {
        "url": f"{api}/tasks/{key}",
        **{name: row[name] for name in names},
        "owner": basic_json(row["owner_id"]),
        "assignee": basic_json(row["assignee_id"]),
        **_data_json(key),
        "organization_id": None,
        "organization": None,
        "target_storage": None,
        "source_storage": None,
        "jobs": {**jobs, "url": f"{api}/jobs?task_id={key}"},
        "labels": {"url": f"{api}/labels?task_id={key}"},
        "assignee_updated_date": None,
        "validation_mode": None,
        "consensus_enabled": False,
    }


def _data_json(task_id: int) -> dict[str, Any]:
    """These fields are there from the moment on that the task has data."""
    media = database.one(db(), "SELECT * FROM media WHERE task_id = ?", task_id)
    if media is None:
        return {}
    chunk_type = "video" if media["kind"] == "video" else "imageset"
    return {
        "data": media["id"],
        "size": media["size"],
        "image_quality": media["image_quality"],
        "data_chunk_size": media["chunk_size"],
        "data_original_chunk_type": chunk_type,
        "data_compressed_chunk_type": chunk_type,
        "data_cloud_storage_id": None,
    }


@blueprint.get("/api/tasks")
def list_tasks() -> Response:
    found = [row for row in database.rows(db(), permissions.TASK_ROWS) if permissions.sees_task(row)]
    return pages.page(found, _LISTING, _as_json)


def _size(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, int) or value < 0):
        refuse({name: ["A valid integer is required."]})
    return value


@blueprint.post("/api/tasks")
def create_task() -> Response:
    body = object_body()
    if not body.get("name"):
        refuse_required("name")
    if body.get("consensus_replicas") or body.get("initial_replicas"):
        out_of_scope("a task with consensus replicas")
    given, project_id = labels.check(body.get("labels") or []), body.get("project_id")
    if project_id is not None:
        if given:
            refuse(["Task must have only one of Label set or project_id"])
        if database.one(db(), "SELECT id FROM projects WHERE id = ?", project_id) is None:
            refuse(["Project matching query does not exist."])
        permissions.project(project_id)
    moment = database.now()
    key = database.insert(
        db(),
        "tasks",
        name=str(body["name"]),
        project_id=project_id,
        owner_id=user().id,
        assignee_id=existing_id(body.get("assignee_id")),
        bug_tracker=str(body.get("bug_tracker") or ""),
        subset=str(body.get("subset") or ""),
        segment_size=_size(body, "segment_size") or 0,
        overlap=_size(body, "overlap"),
        created_date=moment,
        updated_date=moment,
    )
    for label in given:
        labels.create(db(), ("task_id", key), label)
    if project_id is not None:
        database.update(db(), "projects", project_id, updated_date=moment)
    location = {"Location": f"{request.host_url}api/tasks/{key}"}
    return reply(_as_json(permissions.task(key)), 201, location)


@blueprint.get("/api/tasks/<int:key>")
def retrieve_task(key: int) -> Response:
    return reply(_as_json(permissions.task(key)))


@blueprint.patch("/api/tasks/<int:key>")
def change_task(key: int) -> Response:
    row, body = permissions.task(key), object_body()
    if body.keys() - {*_CHANGEABLE, *_ONLY_CVAT}:
        forbidden("Attempted to update an unknown field")
    for name in body.keys() & set(_ONLY_CVAT):
        out_of_scope(f"changing {name!r} of a task")
    if "labels" in body:
        if row["project_id"] is not None:
            refuse(["Task with a project has the labels of the project"])
        labels.change(("task_id", key), labels.check(body["labels"]))
    columns = {name: str(body[name]) for name in ("name", "bug_tracker", "subset") if name in body}
    database.update(db(), "tasks", key, updated_date=database.now(), **columns)
    told: dict[str, Any] = {}
    if "assignee_id" in body:
        database.update(db(), "tasks", key, assignee_id=existing_id(body["assignee_id"]))
        told["assignee_updated_date"] = database.now()  # CVAT tells it here and forgets it
    return reply(_as_json(permissions.task(key)) | told)


@blueprint.delete("/api/tasks/<int:key>")
def delete_task(key: int) -> Response:
    permissions.require_owner(permissions.task(key))
    db().execute("DELETE FROM tasks WHERE id = ?", (key,))
    frames = server().frames
    on_commit(lambda: frames.remove(key))
    return empty()
