"""Polled state of data creations. A failure is a 200 with status failed."""

import sqlite3
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response

from cvat_bridge.embedded.server import database, pages
from cvat_bridge.embedded.server.context import db, user
from cvat_bridge.embedded.server.replies import ApiError, Html, forbidden, reply

blueprint = Blueprint("requests", __name__)

_QUERY = """
SELECT r.*, t.project_id, o.username, 'create' AS action, 'task' AS target FROM requests r
JOIN tasks t ON t.id = r.task_id JOIN users o ON o.id = r.owner_id
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


def _as_json(row: sqlite3.Row) -> dict[str, Any]:
    finished, kept = row["finished_date"], _KEPT.get(row["status"])
    expiry = (datetime.fromisoformat(finished) + kept).isoformat() if finished and kept else None
    names = ("status", "message", "id", "created_date", "started_date", "finished_date")
    return {
        **{name: row[name] for name in names},
        "operation": {
            "type": "create:task",
            "target": "task",
            "project_id": row["project_id"],
            "task_id": row["task_id"],
            "job_id": None,
            "format": None,
            "lightweight": None,
        },
        "progress": 0.0,
        "expiry_date": expiry,
        "owner": {"id": row["owner_id"], "username": row["username"]},
        "result_url": None,
        "result_id": None,
    }


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
