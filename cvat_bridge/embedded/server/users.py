"""User accounts as CVAT shows them. They are made when the server is started, not through the API."""

import sqlite3
from typing import Any

from flask import Blueprint, Response, request

from cvat_bridge.embedded.server import database, pages
from cvat_bridge.embedded.server.context import db, user
from cvat_bridge.embedded.server.replies import fail_as_cvat_does, forbidden, not_found, reply

blueprint = Blueprint("users", __name__)

_LISTING = pages.Listing({"id": pages.NUMBER, "username": pages.TEXT, "is_active": pages.FLAG}, ("username",))
_QUERY = "SELECT *, 1 AS is_active FROM users"


def _url(key: int) -> str:
    return f"{request.host_url}api/users/{key}"


def basic_json(key: int | None) -> dict[str, Any] | None:
    """How an owner or assignee is shown."""
    row = database.one(db(), f"{_QUERY} WHERE id = ?", key)
    return _basic(row) if row is not None else None


def _basic(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "url": _url(row["id"]),
        "id": row["id"],
        "username": row["username"],
        "first_name": "",
        "last_name": "",
    }


def _full(row: sqlite3.Row) -> dict[str, Any]:
    is_superuser = bool(row["is_superuser"])
    return {
        **_basic(row),
        "email": f"{row['username']}@localhost.local",
        "groups": ["admin" if is_superuser else "user"],
        "is_staff": is_superuser,
        "is_superuser": is_superuser,
        "is_active": True,
        "last_login": row["last_login"],
        "date_joined": row["date_joined"],
        "has_analytics_access": is_superuser,
    }


def existing_id(key: Any) -> int | None:
    """An assignee from a body: null, or a user that exists. CVAT fails on anything else."""
    if key is None:
        return None
    if not isinstance(key, int) or database.one(db(), "SELECT id FROM users WHERE id = ?", key) is None:
        fail_as_cvat_does()
    return key


@blueprint.get("/api/users")
def list_users() -> Response:
    if user().is_superuser:
        return pages.page(database.rows(db(), _QUERY), _LISTING, _full)
    return pages.page(database.rows(db(), f"{_QUERY} WHERE id = ?", user().id), _LISTING, _basic)


@blueprint.get("/api/users/self")
def self_user() -> Response:
    return retrieve_user(user().id)


@blueprint.get("/api/users/<int:key>")
def retrieve_user(key: int) -> Response:
    row = database.one(db(), f"{_QUERY} WHERE id = ?", key)
    if row is None:
        not_found("User")
    if not user().is_superuser and key != user().id:
        forbidden()
    return reply(_full(row))
