"""Who calls: passwords, sessions with CSRF tokens, access tokens. Secrets are stored as hashes only."""

import base64
import binascii
import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, g, request

from cvat_bridge.embedded.server import database, pages
from cvat_bridge.embedded.server.context import User, db, object_body, server, user
from cvat_bridge.embedded.server.replies import (
    ApiError,
    empty,
    forbidden,
    not_found,
    refuse,
    refuse_required,
    reply,
)
from cvat_bridge.embedded.server.users import basic_json

blueprint = Blueprint("auth", __name__)

ADMIN = "admin"
REVIEWERS = ("reviewer1", "reviewer2")
_PUBLIC = (("GET", "/api/server/about"), ("POST", "/api/auth/login"))
_SAFE = ("GET", "HEAD", "OPTIONS")
_SESSION = timedelta(days=14)
_TOKEN_TOUCH = timedelta(minutes=1)


def hash_password(password: str, salt: bytes | None = None) -> str:
    salt = salt or secrets.token_bytes(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()}"


def _is_password(password: str, stored: str | None) -> bool:
    if stored is None:
        return False
    salt = bytes.fromhex(stored.partition("$")[0])
    return hmac.compare_digest(hash_password(password, salt), stored)


def _digest(secret: str) -> str:
    """Random secrets need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create_users(connection: sqlite3.Connection, passwords: Mapping[str, str]) -> None:
    """The accounts of a new server; an account without a password exists but nobody can log in to it."""
    for name in (ADMIN, *REVIEWERS):
        connection.execute(
            "INSERT OR IGNORE INTO users (username, is_superuser, date_joined) VALUES (?, ?, ?)",
            (name, name == ADMIN, database.now()),
        )
        if name in passwords:
            stored = hash_password(passwords[name])
            connection.execute("UPDATE users SET password = ? WHERE username = ?", (stored, name))


def has_password(connection: sqlite3.Connection, username: str) -> bool:
    row = database.one(connection, "SELECT password FROM users WHERE username = ?", username)
    return row is not None and row["password"] is not None


def authenticate() -> None:
    """Runs before every call: finds its user, or refuses it."""
    if (request.method, request.path) in _PUBLIC:
        return
    with server().database.connection() as connection:
        g.user = _user_of_header(connection) or _user_of_session(connection)


def _unauthorized(detail: str) -> ApiError:
    return ApiError(401, {"detail": detail})


def _as_user(row: sqlite3.Row, token_id: int | None = None) -> User:
    return User(row["id"], row["username"], bool(row["is_superuser"]), token_id)


def _user_of_header(connection: sqlite3.Connection) -> User | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer":
        return _user_of_token(connection, value)
    if scheme == "Basic":
        return _user_of_basic(connection, value)
    if scheme:
        raise _unauthorized("Invalid token.")
    return None


def _user_of_token(connection: sqlite3.Connection, value: str) -> User:
    token = database.one(connection, "SELECT * FROM access_tokens WHERE value = ?", _digest(value))
    now = datetime.now(UTC)
    if token is None or (token["expiry_date"] and datetime.fromisoformat(token["expiry_date"]) <= now):
        raise _unauthorized("Invalid token.")
    if token["read_only"] and request.method not in _SAFE:
        forbidden()
    if token["last_used_date"] is None or datetime.fromisoformat(token["last_used_date"]) < now - _TOKEN_TOUCH:
        database.update(connection, "access_tokens", token["id"], last_used_date=database.now())
    row = database.one(connection, "SELECT * FROM users WHERE id = ?", token["user_id"])
    assert row is not None
    return _as_user(row, token["id"])


def _user_of_basic(connection: sqlite3.Connection, value: str) -> User:
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _unauthorized("Invalid basic header. Credentials not correctly base64 encoded.") from error
    row = _user_with_password(connection, name, password)
    if row is None:
        raise _unauthorized("Invalid username/password.")
    return _as_user(row)


def _user_with_password(connection: sqlite3.Connection, name: str, password: str) -> sqlite3.Row | None:
    row = database.one(connection, "SELECT * FROM users WHERE username = ?", name)
    return row if row is not None and _is_password(password, row["password"]) else None


def _user_of_session(connection: sqlite3.Connection) -> User:
    key = request.cookies.get("sessionid", "")
    query = "SELECT u.*, s.csrf FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.key = ? AND s.expires > ?"
    row = database.one(connection, query, _digest(key), database.now()) if key else None
    if row is None:
        raise _unauthorized("Authentication credentials were not provided.")
    if request.method not in _SAFE:
        _check_csrf(row["csrf"])
    return _as_user(row)


def _check_csrf(expected: str) -> None:
    given = request.headers.get("X-Csrftoken")
    if given is None:
        forbidden("CSRF Failed: CSRF token missing.")
    if len(given) != len(expected):
        forbidden("CSRF Failed: CSRF token from the 'X-Csrftoken' HTTP header has incorrect length.")
    if not hmac.compare_digest(given, expected):
        forbidden("CSRF Failed: CSRF token from the 'X-Csrftoken' HTTP header incorrect.")


@blueprint.post("/api/auth/login")
def login() -> Response:
    body = object_body()
    name, password = body.get("username"), body.get("password")
    if not isinstance(name, str) or not isinstance(password, str) or not name or not password:
        refuse(['Must include either "username" or "email" and "password".'])
    row = _user_with_password(db(), name, password)
    if row is None:
        refuse({"non_field_errors": ["Unable to log in with provided credentials."]})
    key, csrf = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    expires = (datetime.now(UTC) + _SESSION).isoformat()
    db().execute("DELETE FROM sessions WHERE expires < ?", (database.now(),))
    database.insert(db(), "sessions", key=_digest(key), user_id=row["id"], csrf=csrf, expires=expires)
    database.update(db(), "users", row["id"], last_login=database.now())
    response = reply({"key": secrets.token_hex(20)})
    response.set_cookie("csrftoken", csrf, max_age=timedelta(days=364), samesite="Lax")
    response.set_cookie("sessionfresh", "1", max_age=timedelta(days=1), httponly=True, samesite="Lax")
    response.set_cookie("sessionid", key, max_age=_SESSION, httponly=True, samesite="Lax")
    return response


@blueprint.post("/api/auth/logout")
def logout() -> Response:
    db().execute("DELETE FROM sessions WHERE key = ?", (_digest(request.cookies.get("sessionid", "")),))
    response = reply({"detail": "Successfully logged out."})
    response.delete_cookie("sessionfresh", samesite="Lax")
    response.delete_cookie("sessionid", samesite="Lax")
    return response


def _token_json(row: sqlite3.Row) -> dict[str, Any]:
    names = ("id", "name", "created_date", "updated_date", "expiry_date", "last_used_date")
    return {
        **{name: row[name] for name in names},
        "read_only": bool(row["read_only"]),
        "owner": basic_json(row["user_id"]),
    }


def _own_token(key: int | None) -> sqlite3.Row:
    query = "SELECT * FROM access_tokens WHERE id = ? AND user_id = ?"
    row = database.one(db(), query, key, user().id)
    if row is None:
        not_found("AccessToken")
    return row


def _expiry(value: Any) -> str | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        refuse({"expiry_date": ["Datetime has wrong format."]})
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


@blueprint.post("/api/auth/access_tokens")
def create_token() -> Response:
    body = object_body()
    if not isinstance(body.get("name"), str):
        refuse_required("name")
    value, moment = secrets.token_urlsafe(32), database.now()
    key = database.insert(
        db(),
        "access_tokens",
        user_id=user().id,
        name=body["name"],
        value=_digest(value),
        read_only=bool(body.get("read_only", False)),
        expiry_date=_expiry(body.get("expiry_date")),
        created_date=moment,
        updated_date=moment,
    )
    return reply({**_token_json(_own_token(key)), "value": value}, 201)


@blueprint.get("/api/auth/access_tokens")
def list_tokens() -> Response:
    found = database.rows(db(), "SELECT * FROM access_tokens WHERE user_id = ?", user().id)
    return pages.page(found, pages.Listing({"id": pages.NUMBER, "name": pages.TEXT}, ("name",)), _token_json)


@blueprint.get("/api/auth/access_tokens/self")
def own_token() -> Response:
    return reply(_token_json(_own_token(user().token_id)))


@blueprint.delete("/api/auth/access_tokens/<int:key>")
def revoke_token(key: int) -> Response:
    _own_token(key)
    db().execute("DELETE FROM access_tokens WHERE id = ?", (key,))
    return empty()
