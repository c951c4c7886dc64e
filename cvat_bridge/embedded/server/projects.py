"""Projects."""

import sqlite3
from typing import Any

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import data, database, labels, pages, permissions
from cvat_bridge.embedded.server.context import db, object_body, on_commit, server, user
from cvat_bridge.embedded.server.replies import empty, out_of_scope, refuse_required, reply
from cvat_bridge.embedded.server.users import basic_json, existing_id

blueprint = Blueprint("projects", __name__)

_LISTING = pages.Listing(
    {
        "id": pages.NUMBER,
        "name": pages.TEXT,
        "owner": pages.TEXT,
        "assignee": pages.TEXT,
        "status": ("annotation", "validation", "completed"),
        "updated_date": pages.TEXT,
    },
    ("name", "owner", "assignee", "status"),
)
_CHANGEABLE = ("name", "bug_tracker", "assignee_id", "labels")


def _as_json(row: sqlite3.Row) -> dict[str, Any]:
    key, api = row["id"], f"{request.host_url}api"
    tasks = database.rows(db(), "SELECT subset FROM tasks WHERE project_id = ?", key)
    names = ("id", "name", "guide_id", "bug_tracker", "created_date", "updated_date", "status")
    return {
        "url": f"{api}/projects/{key}",
        **{name: row[name] for name in names},
        "owner": basic_json(row["owner_id"]),
        "assignee": basic_json(row["assignee_id"]),
        "assignee_updated_date": row["assignee_updated_date"],
        "dimension": "2d" if tasks else None,
        "organization": None,
        "organization_id": None,
        "target_storage": None,
        "source_storage": None,
        "tasks": {"count": len(tasks), "url": f"{api}/tasks?project_id={key}"},
        "labels": {"url": f"{api}/labels?project_id={key}"},
        "task_subsets": sorted({task["subset"] for task in tasks} - {""}),
    }


@blueprint.get("/api/projects")
def list_projects() -> Response:
    found = [row for row in database.rows(db(), permissions.PROJECT_ROWS) if permissions.sees_project(row)]
    return pages.page(found, _LISTING, _as_json)


@blueprint.post("/api/projects")
def create_project() -> Response:
    body = object_body()
    if not body.get("name"):
        refuse_required("name")
    given = labels.check(body.get("labels") or [])
    moment = database.now()
    key = database.insert(
        db(),
        "projects",
        name=str(body["name"]),
        owner_id=user().id,
        assignee_id=existing_id(body.get("assignee_id")),
        bug_tracker=str(body.get("bug_tracker") or ""),
        created_date=moment,
        updated_date=moment,
    )
    for label in given:
        labels.create(db(), ("project_id", key), label)
    location = {"Location": f"{request.host_url}api/projects/{key}"}
    return reply(_as_json(permissions.project(key)), 201, location)


@blueprint.get("/api/projects/<int:key>")
def retrieve_project(key: int) -> Response:
    return reply(_as_json(permissions.project(key)))


@blueprint.patch("/api/projects/<int:key>")
def change_project(key: int) -> Response:
    permissions.project(key)
    body = object_body()
    for name in body.keys() - set(_CHANGEABLE):
        out_of_scope(f"changing {name!r} of a project")
    if "labels" in body:
        labels.change(("project_id", key), labels.check(body["labels"]))
    columns = {name: str(body[name]) for name in ("name", "bug_tracker") if name in body}
    database.update(db(), "projects", key, updated_date=database.now(), **columns)
    if "assignee_id" in body:
        assignee = existing_id(body["assignee_id"])
        database.update(db(), "projects", key, assignee_id=assignee, assignee_updated_date=database.now())
    return reply(_as_json(permissions.project(key)))


@blueprint.delete("/api/projects/<int:key>")
def delete_project(key: int) -> Response:
    permissions.require_owner(permissions.project(key))
    tasks = database.rows(db(), "SELECT id FROM tasks WHERE project_id = ?", key)
    db().execute("DELETE FROM projects WHERE id = ?", (key,))
    frames = server().frames
    on_commit(lambda: frames.remove(*(task["id"] for task in tasks)))
    return empty()


@blueprint.get("/api/projects/<int:key>/preview")
def preview_project(key: int) -> Response:
    permissions.project(key)
    query = "SELECT t.id FROM tasks t JOIN media m ON m.task_id = t.id WHERE t.project_id = ? ORDER BY t.id DESC"
    return data.preview_reply(database.one(db(), query, key))
