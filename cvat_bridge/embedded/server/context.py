"""What a handler finds around it: the server's parts, this request's database connection and its user."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from flask import current_app, g, request

from cvat_bridge.embedded.server.creation import CreationQueue
from cvat_bridge.embedded.server.database import Database
from cvat_bridge.embedded.server.frames import FrameStore
from cvat_bridge.embedded.server.replies import ApiError


@dataclass(frozen=True)
class Server:
    """``dashboard`` is the address of a Nuclio dashboard, None where there are no functions."""

    database: Database
    media: Path
    creations: CreationQueue
    frames: FrameStore
    dashboard: str | None = None

    def close(self) -> None:
        self.creations.stop()
        self.database.close()


@dataclass(frozen=True)
class User:
    id: int
    username: str
    is_superuser: bool
    token_id: int | None = None


def server() -> Server:
    return cast(Server, current_app.extensions["cvat"])


def user() -> User:
    return cast(User, g.user)


def db() -> sqlite3.Connection:
    """This request's connection; a call that may write holds the write lock until its reply is made."""
    if "connection" not in g:
        g.connection = server().database.connect()
        only_reads = request.method in ("GET", "HEAD", "OPTIONS") or g.get("only_reads", False)
        g.connection.execute("BEGIN" if only_reads else "BEGIN IMMEDIATE")
    return cast(sqlite3.Connection, g.connection)


def on_commit(action: Callable[[], None]) -> None:
    """For what others must not see before this request's writes are through, or cannot be rolled back."""
    g.setdefault("on_commit", []).append(action)


def end_transaction(commit: bool) -> None:
    """Runs when the reply of a call is known."""
    if "connection" in g:
        g.connection.execute("COMMIT" if commit else "ROLLBACK")
    for action in g.get("on_commit", []) if commit else []:
        action()


def json_body() -> Any:
    """The body as JSON, refused in CVAT's words."""
    data = request.get_data()
    if not data:
        return {}
    if request.mimetype != "application/json":
        detail = f'Unsupported media type "{request.content_type}" in request.'
        raise ApiError(415, {"detail": detail})
    try:
        return json.loads(data)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, {"detail": f"JSON parse error - {error}"}) from error


def object_body() -> dict[str, Any]:
    body = json_body()
    if not isinstance(body, dict):
        kind = type(body).__name__
        raise ApiError(400, {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]})
    return body
