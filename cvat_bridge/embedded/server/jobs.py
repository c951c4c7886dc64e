"""Jobs: lists, and the three fields that a PATCH may change."""

import sqlite3
from typing import Any

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import database, pages, permissions
from cvat_bridge.embedded.server.context import db, object_body
from cvat_bridge.embedded.server.replies import bad_choice, forbidden, refuse, reply
from cvat_bridge.embedded.server.users import basic_json, existing_id

blueprint = Blueprint("jobs", __name__)

STAGES = ("annotation", "validation", "acceptance")
STATES = ("new", "in progress", "completed", "rejected")
_LISTING = pages.Listing(
    {
        "id": pages.NUMBER,
        "task_id": pages.NUMBER,
        "project_id": pages.NUMBER,
        "task_name": pages.TEXT,
        "project_name": pages.TEXT,
        "assignee": pages.TEXT,
        "type": ("annotation", "ground_truth", "consensus_replica"),
        "stage": STAGES,
        "state": STATES,
        "status": ("annotation", "validation", "completed"),
        "mode": pages.TEXT,
        "dimension": ("2d", "3d"),
        "updated_date": pages.TEXT,
    },
    ("task_name", "project_name", "assignee", "stage", "state"),
)


def _as_json(row: sqlite3.Row) -> dict[str, Any]:
    key, api = row["id"], f"{request.host_url}api"
    names = (
        *("id", "task_id", "project_id", "guide_id", "bug_tracker", "status", "stage", "state", "mode", "type"),
        *("start_frame", "stop_frame", "created_date", "updated_date", "assignee_updated_date", "dimension"),
    )
    chunk_type = "video" if row["kind"] == "video" else "imageset"
    return {
        "url": f"{api}/jobs/{key}",
        **{name: row[name] for name in names},
        "assignee": basic_json(row["assignee_id"]),
        "frame_count": row["stop_frame"] - row["start_frame"] + 1,
        "data_chunk_size": row["chunk_size"],
        "data_compressed_chunk_type": chunk_type,
        "data_original_chunk_type": chunk_type,
        "issues": {"url": f"{api}/issues?job_id={key}", "count": 0},
        "labels": {"url": f"{api}/labels?job_id={key}"},
        "organization": None,
        "target_storage": None,
        "source_storage": None,
        "parent_job_id": None,
        "consensus_replicas": 0,
    }


@blueprint.get("/api/jobs")
def list_jobs() -> Response:
    found = [row for row in database.rows(db(), permissions.JOB_ROWS) if permissions.sees_job(row)]
    return pages.page(found, _LISTING, _as_json)


@blueprint.get("/api/jobs/<int:key>")
def retrieve_job(key: int) -> Response:
    return reply(_as_json(permissions.job(key)))


@blueprint.patch("/api/jobs/<int:key>")
def change_job(key: int) -> Response:
    row, body = permissions.job(key), object_body()
    if body.keys() - {"stage", "state", "assignee"}:
        forbidden("Attempted to update an unknown field")
    if "stage" in body:
        permissions.require_job_manager(row)
    if "assignee" in body:
        permissions.require_job_assigner(row)
    errors = {
        name: bad_choice(body[name])
        for name, choices in (("stage", STAGES), ("state", STATES))
        if name in body and body[name] not in choices
    }
    if errors:
        refuse(errors)
    changes = _stage_and_state(row, body)
    if "assignee" in body:
        changes |= {"assignee_id": existing_id(body["assignee"]), "assignee_updated_date": database.now()}
    database.update(db(), "jobs", key, updated_date=database.now(), **changes)
    return retrieve_job(key)


def _stage_and_state(row: sqlite3.Row, body: dict[str, Any]) -> dict[str, Any]:
    """A new stage begins in state new unless the call says otherwise; the old ``status`` follows from both."""
    stage = body.get("stage", row["stage"])
    state = body.get("state", row["state"] if stage == row["stage"] else "new")
    if stage == "annotation":
        status = "annotation"
    elif stage == "acceptance" and state == "completed":
        status = "completed"
    else:
        status = "validation"
    return {"stage": stage, "state": state, "status": status}


@blueprint.delete("/api/jobs/<int:key>")
def delete_job(key: int) -> Response:
    permissions.require_job_assigner(permissions.job(key))
    refuse(["Only ground truth jobs can be removed"])
