"""Annotations of jobs and tasks. A task is its jobs one after another: cut when written, merged when read."""

import sqlite3
from typing import Any

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import annotation_store, database, labels, permissions
from cvat_bridge.embedded.server.annotation_checks import Annotations, check
from cvat_bridge.embedded.server.annotation_store import LabelAttributes
from cvat_bridge.embedded.server.context import db, json_body
from cvat_bridge.embedded.server.replies import ApiError, Html, empty, out_of_scope, refuse, reply
from cvat_bridge.embedded.server.tracks import empty_annotations, merge_annotations, slice_annotations

blueprint = Blueprint("annotations", __name__)

_ACTIONS = ("create", "update", "delete")
_JOB = "/api/jobs/<int:key>/annotations"
_TASK = "/api/tasks/<int:key>/annotations"


def _reply(data: Annotations) -> Response:
    return reply({"version": 0, **data})


def _action() -> str:
    action = request.args.get("action", "")
    if action not in _ACTIONS:
        refuse(["Please specify a correct 'action' for the request"])
    return action


def _labels_of_job(job: sqlite3.Row) -> LabelAttributes:
    project = job["project_id"]
    return LabelAttributes(db(), ("project_id", project) if project is not None else ("task_id", job["task_id"]))


def _apply(job_id: int, action: str, data: Annotations, specs: LabelAttributes) -> Annotations:
    """An update is a deletion and a creation with the same ids: so does CVAT, hence its surprises with stale ids."""
    if action in ("update", "delete"):
        annotation_store.delete(db(), job_id, data)
    elif action == "put":
        annotation_store.delete_all(db(), job_id)
    if action != "delete":
        annotation_store.create(db(), job_id, data, specs)
    database.update(db(), "jobs", job_id, updated_date=database.now())
    return data


@blueprint.get(_JOB, strict_slashes=False)
def job_annotations(key: int) -> Response:
    job = permissions.job(key)
    return _reply(annotation_store.read(db(), key, _labels_of_job(job)))


@blueprint.patch(_JOB, strict_slashes=False)
def change_job_annotations(key: int) -> Response:
    job, action = permissions.job(key), _action()
    return _reply(_apply(key, action, check(json_body(), action), _labels_of_job(job)))


@blueprint.put(_JOB, strict_slashes=False)
def replace_job_annotations(key: int) -> Response:
    job = permissions.job(key)
    return _reply(_apply(key, "put", check(json_body(), "put"), _labels_of_job(job)))


@blueprint.delete(_JOB, strict_slashes=False)
def delete_job_annotations(key: int) -> Response:
    permissions.job(key)
    annotation_store.delete_all(db(), key)
    return empty()


def _jobs(task: sqlite3.Row) -> list[sqlite3.Row]:
    found = database.rows(db(), "SELECT * FROM jobs WHERE task_id = ? ORDER BY start_frame, id", task["id"])
    if not found:
        raise ApiError(400, Html("Exporting annotations from a task without data is not allowed"))
    return found


def _merge(task: sqlite3.Row, parts: list[tuple[Any, Annotations]]) -> Annotations:
    merged = empty_annotations()
    for job, data in parts:
        merge_annotations(merged, data, job["start_frame"], task["overlap"] or 0)
    return merged


def merged_annotations(task: sqlite3.Row) -> tuple[list[sqlite3.Row], Annotations]:
    """The task's jobs, and all that stands in them as one."""
    specs, jobs = LabelAttributes(db(), labels.holder_of_task(task)), _jobs(task)
    return jobs, _merge(task, [(job, annotation_store.read(db(), job["id"], specs)) for job in jobs])


def _change_task(task: sqlite3.Row, action: str) -> Response:
    data = check(json_body(), action)
    specs = LabelAttributes(db(), labels.holder_of_task(task))
    parts = []
    for job in _jobs(task):
        part = slice_annotations(data, job["start_frame"], job["stop_frame"])
        parts.append((job, _apply(job["id"], action, part, specs)))
    return _reply(_merge(task, parts))


@blueprint.get(_TASK, strict_slashes=False)
def task_annotations(key: int) -> Response:
    task = permissions.task(key)
    if "format" in request.args:
        out_of_scope("the export of annotations")
    return _reply(merged_annotations(task)[1])


@blueprint.patch(_TASK, strict_slashes=False)
def change_task_annotations(key: int) -> Response:
    task = permissions.task(key)
    return _change_task(task, _action())


@blueprint.put(_TASK, strict_slashes=False)
def replace_task_annotations(key: int) -> Response:
    return _change_task(permissions.task(key), "put")


@blueprint.delete(_TASK, strict_slashes=False)
def delete_task_annotations(key: int) -> Response:
    for job in _jobs(permissions.task(key)):
        annotation_store.delete_all(db(), job["id"])
    return empty()
