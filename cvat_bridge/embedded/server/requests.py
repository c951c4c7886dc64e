"""Polled state of data creations and exports. A failure is a 200 with status failed."""

import sqlite3
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import database, pages
from cvat_bridge.embedded.server.context import db, user
from cvat_bridge.embedded.server.replies import ApiError, Html, forbidden, reply

blueprint = Blueprint("requests", __name__)

_QUERY = """
SELECT r.*, t.project_id, o.username, 'task' AS target FROM (
  SELECT id, task_id, owner_id, status, message, created_date, started_date, finished_date, 'create' AS action,
    NULL AS format FROM requests
  UNION ALL
  SELECT id, task_id, owner_id, 'finished', '', created_date, created_date, created_date, 'export', format FROM exports
) r JOIN tasks t ON t.id = r.task_id JOIN users o ON o.id = r.owner_id
"""
_LISTING = pages.Listing(
    {
        "task_id": pages.NUMBER,
        "project_id": pages.NUMBER,
        "status": ("queued", "started", "failed", "finished"),
        "action": pages.TEXT,
        "target": pages.TEXT,
    },
    order="-created_date",
)
_KEPT = {"finished": timedelta(minutes=500), "failed": timedelta(days=365)}
_KEPT_EXPORT = timedelta(days=1)
_SUBJECT = {"create": "task", "export": "annotations"}


def _as_json(row: sqlite3.Row) -> dict[str, Any]:
    is_export = row["action"] == "export"
    finished, kept = row["finished_date"], _KEPT_EXPORT if is_export else _KEPT.get(row["status"])
    expiry = (datetime.fromisoformat(finished) + kept).isoformat() if finished and kept else None
    names = ("status", "message", "id", "created_date", "started_date", "finished_date")
    return {
        **{name: row[name] for name in names},
        "operation": {
            "type": f"{row['action']}:{_SUBJECT[row['action']]}",
            "target": "task",
            "project_id": row["project_id"],
            "task_id": row["task_id"],
            "job_id": None,
            "format": row["format"],
            "lightweight": None,
        },
        "progress": 0.0,
        "expiry_date": expiry,
        "owner": {"id": row["owner_id"], "username": row["username"]},
        "result_url": _result_url(row) if is_export else None,
        "result_id": None,
    }


def _result_url(row: sqlite3.Row) -> str:
    return f"{request.host_url}api/tasks/{row['task_id']}/dataset/download?rq_id={quote(row['id'], safe='~')}"


@blueprint.get("/api/requests")
def list_requests() -> Response:
    found = database.rows(db(), f"{_QUERY} WHERE r.owner_id = ?", user().id)
    return pages.page(found, _LISTING, _as_json)


@blueprint.get("/api/requests/<key>")
def retrieve_request(key: str) -> Response:
    row = database.one(db(), f"{_QUERY} WHERE r.id = ?", key)
    if row is None:
        raise ApiError(404, Html("There is no request with specified id"))
    if not user().is_superuser and row["owner_id"] != user().id:
        forbidden()
    return reply(_as_json(row))
