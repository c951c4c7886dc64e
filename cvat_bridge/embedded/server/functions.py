"""Functions of the automatic annotation: listed from Nuclio's dashboard, and detectors called on one frame.

Trackers, reid functions and requests for a whole task are left to CVAT.
"""

import base64
import json
import sqlite3
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Blueprint, Response, g

from cvat_bridge.embedded.server import database, labels, permissions
from cvat_bridge.embedded.server.context import db, object_body, server
from cvat_bridge.embedded.server.replies import ApiError, out_of_scope, refuse, reply

blueprint = Blueprint("functions", __name__)

_TIMEOUT = 120  # seconds, CVAT's own for one call
_WITH_LABELS = ("detector",)
Item = dict[str, Any]


@blueprint.get("/api/lambda/functions")
def list_functions() -> Response:
    return reply([_as_json(item) for item in _of_dashboard("/api/functions").values()])


@blueprint.get("/api/lambda/functions/<key>")
def retrieve_function(key: str) -> Response:
    return reply(_as_json(_function(key)))


@blueprint.post("/api/lambda/functions/<key>")
def call_function(key: str) -> Response:
    g.only_reads = True  # the function takes its time: others are not to wait for it
    function, body = _function(key), object_body()
    task, job = _place(key, body)
    if "frame" not in body:
        refuse(f"`{key}` lambda function was called without mandatory argument: frame")
    kind = function["metadata"]["annotations"].get("type")
    if kind != "detector":
        out_of_scope(f"a call of a function of kind {kind}")
    frame = body["frame"]
    media = database.one(db(), "SELECT * FROM media WHERE task_id = ?", task["id"])
    first, last = (job["start_frame"], job["stop_frame"]) if job else (0, media["size"] - 1 if media else -1)
    if media is None or not isinstance(frame, int) or not first <= frame <= last:
        refuse(f"The frame is outside the {'job' if job else 'task'} range")
    payload: Item = {"image": base64.b64encode(server().frames.frame(media, frame, True).content).decode()}
    if body.get("threshold") is not None:
        payload["threshold"] = body["threshold"]
    found = _invoke(function, payload)
    shapes = _shapes(found, frame, _Mapping(task, json.loads(function["metadata"]["annotations"]["spec"]), body))
    return reply({"version": 0, "tags": [], "shapes": shapes, "tracks": []})


def _place(key: str, body: Item) -> tuple[sqlite3.Row, sqlite3.Row | None]:
    """The task, and the job where one is named."""
    if body.get("job") is not None:
        job = permissions.job(int(body["job"]))
        task = permissions.task_of(job)
        assert task is not None
        return task, job
    if body.get("task") is None:
        refuse(f"`{key}` lambda function was run with wrong arguments ('task')")
    return permissions.task(int(body["task"])), None


def _of_dashboard(path: str) -> Item:
    url = server().dashboard
    if url is None:
        out_of_scope("automatic annotation without a function host")
    answer = requests.get(url + path, timeout=_TIMEOUT)
    _pass_on(answer)
    found: Item = answer.json()
    return found


def _function(key: str) -> Item:
    return _of_dashboard(f"/api/functions/{key}")


def _invoke(function: Item, payload: Item) -> list[Item]:
    """Called at its own port, as CVAT does by default."""
    dashboard = server().dashboard
    assert dashboard is not None
    url = f"http://{urlsplit(dashboard).hostname}:{function['status'].get('httpPort', 0)}/"
    answer = requests.post(url, json=payload, timeout=_TIMEOUT)
    _pass_on(answer)
    try:
        found = json.loads(answer.text)
    except json.JSONDecodeError as error:
        raise ApiError(500, str(error)) from error
    if not isinstance(found, list):
        raise ApiError(500, "string indices must be integers, not 'str'")
    return found


def _pass_on(answer: requests.Response) -> None:
    """CVAT answers with the function's own status, and with the text of its HTTP library."""
    if answer.status_code >= 400:
        side, phrase = "Client" if answer.status_code < 500 else "Server", HTTPStatus(answer.status_code).phrase
        raise ApiError(answer.status_code, f"{answer.status_code} {side} Error: {phrase} for url: {answer.url}")


def _as_json(item: Item) -> Item:
    annotations, key = item["metadata"]["annotations"], item["metadata"]["name"]
    kind = annotations.get("type", "unknown")
    spec = json.loads(annotations.get("spec") or "[]") if kind in _WITH_LABELS else []
    body = {
        "id": key,
        "kind": kind,
        "labels_v2": [
            {"name": label["name"], "type": label.get("type", "any"), "attributes": label.get("attributes", [])}
            for label in spec
        ],
        "description": item["spec"]["description"],
        "name": annotations.get("name", key),
        "version": int(annotations.get("version", "1")),
    }
    if kind == "tracker":
        body["supported_shape_types"] = annotations.get("supported_shape_types", "rectangle").split(",")
    return body


class _Mapping:
    """Which label and attributes of the task a function's stand for: as told, or those of the same name."""

    def __init__(self, task: sqlite3.Row, spec: list[Item], body: Item) -> None:
        holder = labels.holder_of_task(task)
        known = {
            row["name"]: row for row in database.rows(db(), f"SELECT * FROM labels WHERE {holder[0]} = ?", holder[1])
        }
        told = body.get("mapping")
        if told is None:
            told = {
                label["name"]: {
                    "name": label["name"],
                    "attributes": {value["name"]: value["name"] for value in label.get("attributes", [])},
                }
                for label in spec
            }
        self._labels = {name: known[one["name"]] for name, one in told.items() if one["name"] in known}
        self._attributes = {name: one.get("attributes", {}) for name, one in told.items()}

    def label(self, name: str) -> sqlite3.Row | None:
        return self._labels.get(name)

    def values(self, name: str, given: list[Item]) -> list[Item]:
        """Values that the task's attributes can take; the others are dropped."""
        specs = {
            row["name"]: row
            for row in database.rows(db(), "SELECT * FROM attributes WHERE label_id = ?", self._labels[name]["id"])
        }
        found = []
        for value in given:
            spec = specs.get(self._attributes[name].get(value["name"], ""))
            if spec is not None and _is_valid(str(value["value"]), spec):
                found.append({"spec_id": spec["id"], "value": str(value["value"])})
        return found


def _is_valid(value: str, spec: sqlite3.Row) -> bool:
    choices = json.loads(spec["choices"])
    if spec["input_type"] == "number":
        low, high, _ = (float(choice) for choice in choices)
        return value.lstrip("-").replace(".", "", 1).isdecimal() and low <= float(value) <= high
    if spec["input_type"] == "checkbox":
        return value in ("true", "false")
    return spec["input_type"] == "text" or value in choices


def _shapes(found: list[Item], frame: int, mapping: _Mapping) -> list[Item]:
    """Rectangles of labels that are mapped; confidence, occlusion and the function's own source are dropped."""
    shapes = []
    for item in found:
        label = mapping.label(item["label"])
        if label is None or item["type"] != "rectangle":
            continue
        shapes.append(
            {
                "type": item["type"],
                "occluded": False,
                "outside": bool(item.get("outside", False)),
                "z_order": 0,
                "rotation": float(item.get("rotation", 0.0)),
                "points": item["points"],
                "id": None,
                "frame": frame,
                "label_id": label["id"],
                "group": item.get("group_id"),
                "source": "auto",
                "attributes": mapping.values(item["label"], item.get("attributes", [])),
            }
        )
    return shapes
