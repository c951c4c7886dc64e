"""Annotation guides: Markdown that CVAT shows to whoever opens a job of the task or project."""

import sqlite3
from typing import Any

from flask import Blueprint, Response

from cvat_bridge.embedded.server import database, permissions
from cvat_bridge.embedded.server.context import db, object_body
from cvat_bridge.embedded.server.replies import fail_as_cvat_does, not_found, refuse, reply

blueprint = Blueprint("guides", __name__)


def _as_json(row: sqlite3.Row, *more: str) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "task_id", "project_id", *more, "markdown")}


def _guide(key: int) -> sqlite3.Row:
    row = database.one(db(), "SELECT * FROM guides WHERE id = ?", key)
    if row is None:
        not_found("AnnotationGuide")
    return row


def _check_holder(task_id: int | None, project_id: int | None) -> None:
    if task_id is not None:
        permissions.task(task_id)
    elif project_id is not None:
        permissions.project(project_id)


def _markdown(body: dict[str, Any], default: str) -> str:
    text = body.get("markdown", default)
    if not isinstance(text, str):
        refuse({"markdown": ["Not a valid string."]})
    return text


@blueprint.post("/api/guides")
def create_guide() -> Response:
    body = object_body()
    task_id, project_id = body.get("task_id"), body.get("project_id")
    if (task_id is None) == (project_id is None):
        refuse(["Specify either task_id or project_id"])
    _check_holder(task_id, project_id)
    moment = database.now()
    try:
        key = database.insert(
            db(),
            "guides",
            task_id=task_id,
            project_id=project_id,
            markdown=_markdown(body, ""),
            created_date=moment,
            updated_date=moment,
        )
    except sqlite3.IntegrityError:
        fail_as_cvat_does()
    return reply(_as_json(_guide(key)), 201)


@blueprint.get("/api/guides/<int:key>")
def retrieve_guide(key: int) -> Response:
    row = _guide(key)
    permissions.require_sight_of_guide(row)
    return reply(_as_json(row, "created_date", "updated_date"))


@blueprint.patch("/api/guides/<int:key>")
def change_guide(key: int) -> Response:
    row = _guide(key)
    _check_holder(row["task_id"], row["project_id"])
    text = _markdown(object_body(), row["markdown"])
    database.update(db(), "guides", key, markdown=text, updated_date=database.now())
    return reply(_as_json(_guide(key)))
