"""The SQLite file: tables, connections and the few statements that all modules share."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
  id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT NOT NULL UNIQUE, password TEXT, is_superuser INTEGER NOT NULL,
  last_login TEXT, date_joined TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
  key TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE, csrf TEXT NOT NULL,
  expires TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS access_tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  name TEXT NOT NULL, value TEXT NOT NULL UNIQUE, read_only INTEGER NOT NULL, expiry_date TEXT, last_used_date TEXT,
  created_date TEXT NOT NULL, updated_date TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS projects (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, owner_id INTEGER REFERENCES users,
  assignee_id INTEGER REFERENCES users, assignee_updated_date TEXT, bug_tracker TEXT NOT NULL DEFAULT '',
  created_date TEXT NOT NULL, updated_date TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, project_id INTEGER REFERENCES projects ON DELETE CASCADE,
  owner_id INTEGER REFERENCES users, assignee_id INTEGER REFERENCES users, bug_tracker TEXT NOT NULL,
  subset TEXT NOT NULL, segment_size INTEGER NOT NULL, overlap INTEGER, mode TEXT NOT NULL DEFAULT '',
  created_date TEXT NOT NULL, updated_date TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS media (
  id INTEGER PRIMARY KEY AUTOINCREMENT, task_id INTEGER NOT NULL UNIQUE REFERENCES tasks ON DELETE CASCADE,
  kind TEXT NOT NULL, size INTEGER NOT NULL, image_quality INTEGER NOT NULL, chunk_size INTEGER NOT NULL,
  start_frame INTEGER NOT NULL, step INTEGER NOT NULL, frame_filter TEXT NOT NULL, files TEXT NOT NULL,
  timestamps TEXT NOT NULL, deleted_frames TEXT NOT NULL DEFAULT '[]', updated_date TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS uploads (
  id TEXT PRIMARY KEY, task_id INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE, filename TEXT NOT NULL,
  length INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
  id TEXT PRIMARY KEY, task_id INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
  owner_id INTEGER NOT NULL REFERENCES users, status TEXT NOT NULL, message TEXT NOT NULL DEFAULT '',
  created_date TEXT NOT NULL, started_date TEXT, finished_date TEXT);
CREATE TABLE IF NOT EXISTS exports (
  id TEXT PRIMARY KEY, task_id INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
  owner_id INTEGER NOT NULL REFERENCES users, format TEXT NOT NULL, file_name TEXT NOT NULL, content BLOB NOT NULL,
  created_date TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, task_id INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
  start_frame INTEGER NOT NULL, stop_frame INTEGER NOT NULL, stage TEXT NOT NULL DEFAULT 'annotation',
  state TEXT NOT NULL DEFAULT 'new', status TEXT NOT NULL DEFAULT 'annotation', assignee_id INTEGER REFERENCES users,
  assignee_updated_date TEXT, created_date TEXT NOT NULL, updated_date TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS jobs_of_task ON jobs (task_id);
CREATE TABLE IF NOT EXISTS labels (
  id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER REFERENCES projects ON DELETE CASCADE,
  task_id INTEGER REFERENCES tasks ON DELETE CASCADE, name TEXT NOT NULL, color TEXT NOT NULL, type TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attributes (
  id INTEGER PRIMARY KEY AUTOINCREMENT, label_id INTEGER NOT NULL REFERENCES labels ON DELETE CASCADE,
  name TEXT NOT NULL, mutable INTEGER NOT NULL, input_type TEXT NOT NULL, default_value TEXT NOT NULL,
  choices TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS guides (
  id INTEGER PRIMARY KEY AUTOINCREMENT, task_id INTEGER UNIQUE REFERENCES tasks ON DELETE CASCADE,
  project_id INTEGER UNIQUE REFERENCES projects ON DELETE CASCADE, markdown TEXT NOT NULL,
  created_date TEXT NOT NULL, updated_date TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS annotations (
  kind TEXT NOT NULL, id INTEGER NOT NULL, job_id INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
  label_id INTEGER NOT NULL REFERENCES labels ON DELETE CASCADE, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS annotations_of_job ON annotations (job_id);
CREATE INDEX IF NOT EXISTS annotations_of_label ON annotations (label_id);
CREATE TABLE IF NOT EXISTS keyframes (
  id INTEGER PRIMARY KEY, track_id INTEGER NOT NULL, kind TEXT NOT NULL DEFAULT 'tracks',
  FOREIGN KEY (kind, track_id) REFERENCES annotations (kind, id) ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS keyframes_of_track ON keyframes (kind, track_id);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
"""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Database:
    """Gives each call and each thread a connection of its own.

    One more stays open meanwhile: SQLite writes its log back to the file whenever the last connection is closed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = self.connect()
        self._last.execute("PRAGMA journal_mode = WAL")
        self._last.executescript(_SCHEMA)

    def close(self) -> None:
        self._last.close()

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        connection = self.connect()
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


def insert(connection: sqlite3.Connection, table: str, **values: Any) -> int:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    cursor = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
    return int(cursor.lastrowid or 0)


def update(connection: sqlite3.Connection, table: str, key: int, **values: Any) -> None:
    changes = ", ".join(f"{name} = ?" for name in values)
    connection.execute(f"UPDATE {table} SET {changes} WHERE id = ?", (*values.values(), key))


def one(connection: sqlite3.Connection, query: str, *parameters: Any) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(query, parameters).fetchone()
    return row


def rows(connection: sqlite3.Connection, query: str, *parameters: Any) -> list[sqlite3.Row]:
    return connection.execute(query, parameters).fetchall()


def take_ids(connection: sqlite3.Connection, name: str, count: int) -> range:
    """The next ``count`` ids of a sequence that never gives an id twice, as those of CVAT's database."""
    row = one(
        connection,
        "INSERT INTO counters (name, last) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = last + ?"
        " RETURNING last",
        name,
        count,
        count,
    )
    assert row is not None
    return range(row["last"] - count + 1, row["last"] + 1)


def skip_ids(connection: sqlite3.Connection, name: str, used: int) -> None:
    """A client chose an id itself: the sequence goes on behind it."""
    connection.execute(
        "INSERT INTO counters (name, last) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = MAX(last, ?)",
        (name, used, used),
    )
