"""Labels and their attributes: checked as CVAT checks them, shown, added, changed, removed."""

import hashlib
import json
import sqlite3
from collections import Counter
from typing import Any

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import database, pages, permissions
from cvat_bridge.embedded.server.context import db, object_body, user
from cvat_bridge.embedded.server.replies import (
    REQUIRED,
    bad_choice,
    fail_as_cvat_does,
    forbidden,
    not_found,
    out_of_scope,
    refuse,
    reply,
)

blueprint = Blueprint("labels", __name__)

_TYPES = ("any", "cuboid", "ellipse", "mask", "points", "polygon", "polyline", "rectangle", "tag")
_INPUTS = ("checkbox", "radio", "number", "text", "select")
_LISTING = pages.Listing({"id": pages.NUMBER, "name": pages.TEXT, "type": _TYPES}, ("name",), order="id")
Holder = tuple[str, int]  # ("project_id" or "task_id", its id)


def _default_color(name: str) -> str:
    return f"#{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def check(labels: Any) -> list[dict[str, Any]]:
    """Labels of a body, refused with CVAT's nested errors."""
    if not isinstance(labels, list):
        refuse({"labels": [f'Expected a list of items but got type "{type(labels).__name__}".']})
    errors = [_label_errors(label) for label in labels]
    if any(errors):
        refuse({"labels": errors})
    names = [label["name"] for label in labels if "name" in label]
    if len(set(names)) < len(names):
        refuse(["All label names must be unique"])
    for label in labels:
        _check_unique_attributes(attribute["name"] for attribute in label.get("attributes", []))
    return labels


def _label_errors(label: Any) -> dict[str, Any]:
    errors: dict[str, Any] = {}
    if not isinstance(label, dict):
        return {"non_field_errors": ["Invalid data. Expected a dictionary."]}
    if label.get("type") == "skeleton" or label.get("sublabels"):
        out_of_scope("a skeleton label")
    if "id" not in label and not label.get("name"):
        errors["name"] = [REQUIRED]
    if label.get("type", "any") not in _TYPES:
        errors["type"] = bad_choice(label["type"])
    attributes = [_attribute_errors(attribute) for attribute in label.get("attributes") or []]
    if any(attributes):
        errors["attributes"] = attributes
    return errors


def _attribute_errors(attribute: dict[str, Any]) -> dict[str, Any]:
    errors: dict[str, Any] = {name: [REQUIRED] for name in ("name", "mutable", "input_type") if name not in attribute}
    if "input_type" in attribute and attribute["input_type"] not in _INPUTS:
        errors["input_type"] = bad_choice(attribute["input_type"])
    return errors


def _check_unique_attributes(names: Any) -> None:
    name, count = (Counter(names).most_common(1) or [("", 0)])[0]
    if count > 1:
        refuse([f"Duplicate attribute with name '{name}' exists"])


def create(connection: sqlite3.Connection, holder: Holder, label: dict[str, Any]) -> None:
    key = database.insert(
        connection,
        "labels",
        **{holder[0]: holder[1]},
        name=label["name"],
        color=label.get("color") or _default_color(label["name"]),
        type=label.get("type", "any"),
    )
    for attribute in label.get("attributes") or []:
        database.insert(connection, "attributes", label_id=key, **_attribute_columns(attribute))


def _attribute_columns(attribute: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": attribute["name"],
        "mutable": bool(attribute["mutable"]),
        "input_type": attribute["input_type"],
        "default_value": str(attribute.get("default_value", "")),
        "choices": json.dumps([str(value) for value in attribute.get("values") or [""]]),
    }


def change(holder: Holder, labels: list[dict[str, Any]]) -> None:
    """The ``labels`` of a PATCH of their project or task: new ones, changed ones, deleted ones."""
    for label in labels:
        if "id" not in label:
            _check_name_is_free(holder, label["name"], None)
            create(db(), holder, label)
            continue
        row = database.one(db(), f"SELECT * FROM labels WHERE id = ? AND {holder[0]} = ?", label["id"], holder[1])
        if row is None:
            not_found("Label")
        if label.get("deleted"):
            db().execute("DELETE FROM labels WHERE id = ?", (row["id"],))
        else:
            _change_one(row, label)


def _check_name_is_free(holder: Holder, name: str, own: int | None) -> None:
    query = f"SELECT id FROM labels WHERE name = ? AND {holder[0]} = ? AND id IS NOT ?"
    if database.one(db(), query, name, holder[1], own) is not None:
        refuse(["All label names must be unique"])


def _change_one(row: sqlite3.Row, label: dict[str, Any]) -> None:
    """A colour that is not given is set back to the default of the name: so does CVAT."""
    name = label.get("name", row["name"])
    holder = ("project_id", row["project_id"]) if row["project_id"] is not None else ("task_id", row["task_id"])
    _check_name_is_free(holder, name, row["id"])
    database.update(
        db(),
        "labels",
        row["id"],
        name=name,
        color=label.get("color") or _default_color(name),
        type=label.get("type", row["type"]),
    )
    for attribute in label.get("attributes") or []:
        query = "SELECT id FROM attributes WHERE id = ? AND label_id = ?"
        if "id" not in attribute:
            database.insert(db(), "attributes", label_id=row["id"], **_attribute_columns(attribute))
        elif database.one(db(), query, attribute["id"], row["id"]) is None:
            not_found("AttributeSpec")
        else:
            database.update(db(), "attributes", attribute["id"], **_attribute_columns(attribute))
    names = database.rows(db(), "SELECT name FROM attributes WHERE label_id = ?", row["id"])
    _check_unique_attributes(row["name"] for row in names)


def _attribute_json(row: sqlite3.Row) -> dict[str, Any]:
    names = ("id", "name", "input_type", "default_value")
    return {
        **{name: row[name] for name in names},
        "mutable": bool(row["mutable"]),
        "values": json.loads(row["choices"]),
    }


def as_json(row: sqlite3.Row) -> dict[str, Any]:
    attributes = database.rows(db(), "SELECT * FROM attributes WHERE label_id = ? ORDER BY id", row["id"])
    holder = "project_id" if row["project_id"] is not None else "task_id"
    return {
        **{name: row[name] for name in ("id", "name", "color", "type", holder)},
        "attributes": [_attribute_json(attribute) for attribute in attributes],
        "sublabels": [],
        "parent_id": None,
        "has_parent": False,
    }


def holder_of_task(row: sqlite3.Row) -> Holder:
    """A task of a project has the project's labels."""
    return ("project_id", row["project_id"]) if row["project_id"] is not None else ("task_id", row["id"])


def _requested_holder() -> Holder | None:
    given = [name for name in ("task_id", "job_id", "project_id") if name in request.args]
    if len(given) > 1:
        refuse(["job_id, task_id and project_id parameters cannot be used together"])
    if not given:
        return None
    text = request.args[given[0]]
    if not text.isdecimal():
        refuse({given[0]: ["A valid integer is required."]})
    table = {"task_id": "tasks", "job_id": "jobs", "project_id": "projects"}[given[0]]
    if database.one(db(), f"SELECT id FROM {table} WHERE id = ?", int(text)) is None:
        fail_as_cvat_does()
    if given[0] == "project_id":
        return ("project_id", permissions.project(int(text))["id"])
    if given[0] == "task_id":
        return holder_of_task(permissions.task(int(text)))
    job = permissions.job(int(text))
    project = job["project_id"]
    return ("project_id", project) if project is not None else ("task_id", job["task_id"])


@blueprint.get("/api/labels")
def list_labels() -> Response:
    holder = _requested_holder()
    if holder is not None:
        found = database.rows(db(), f"SELECT * FROM labels WHERE {holder[0]} = ?", holder[1])
    elif user().is_superuser:
        found = database.rows(db(), "SELECT * FROM labels")
    else:
        forbidden()
    return pages.page(found, _LISTING, as_json)


def _label(key: int) -> sqlite3.Row:
    row = database.one(db(), "SELECT * FROM labels WHERE id = ?", key)
    if row is None:
        not_found("Label")
    if row["project_id"] is not None:
        permissions.project(row["project_id"])
    else:
        permissions.task(row["task_id"])
    return row


@blueprint.get("/api/labels/<int:key>")
def retrieve_label(key: int) -> Response:
    return reply(as_json(_label(key)))


@blueprint.patch("/api/labels/<int:key>")
def change_label(key: int) -> Response:
    row = _label(key)
    body = object_body()
    errors = _label_errors({**body, "id": key})
    if errors:
        refuse(errors)
    _change_one(row, body)
    return reply(as_json(_label(key)))
