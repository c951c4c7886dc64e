"""The bridge's memory of one task: SQLite with write-ahead logging, and a cache of what CVAT itself holds.

Every write to CVAT is entered as an intent before it is sent and closed after it was read back. People's answers and
the questions they answer are kept here for good.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from cvat_bridge.ownership import run_number
from spam_model.active.session import Session
from spam_model.errors import BusyError, FormatError

SCHEMA_VERSION = 1
CANDIDATES_FILE = "candidates.safetensors"  # beside the journal
_SESSION = TypeAdapter(Session)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS snapshot (
    run TEXT, job_id INTEGER, taken TEXT, body TEXT NOT NULL, PRIMARY KEY (run, job_id));
CREATE TABLE IF NOT EXISTS intent (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL, body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intended', 'committed', 'failed')), entered TEXT NOT NULL, closed TEXT);
CREATE TABLE IF NOT EXISTS written (
    job_id INTEGER, identity INTEGER, digest TEXT, confirmed INTEGER NOT NULL, PRIMARY KEY (job_id, identity, digest));
CREATE TABLE IF NOT EXISTS withheld (job_id INTEGER, identity INTEGER, PRIMARY KEY (job_id, identity));
CREATE TABLE IF NOT EXISTS card (
    query_id TEXT PRIMARY KEY, round INTEGER NOT NULL, position INTEGER NOT NULL, file_name TEXT NOT NULL,
    to_frame TEXT, UNIQUE (round, position));
CREATE TABLE IF NOT EXISTS round (
    number INTEGER PRIMARY KEY, review_task INTEGER, state TEXT NOT NULL CHECK (state IN ('asking', 'open', 'closed')));
"""


@dataclass(frozen=True)
class CardRow:
    """Where a question's card lies; ``to_frame`` maps card px to frame px for a rectangle (offset x, y, scale)."""

    query_id: str
    round: int
    position: int
    file_name: str
    to_frame: tuple[float, float, float] | None


@dataclass(frozen=True)
class RoundRow:
    number: int
    review_task: int | None
    state: str


def state_folder(root: Path, host: str, task_id: int) -> Path:
    """Where the journal of a task on a server lies; host and port only, no credentials."""
    parts = urlsplit(host)
    place = f"{parts.hostname}-{parts.port}" if parts.port else str(parts.hostname)
    return root / place / f"task-{task_id}"


def default_state_root() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "cvat-spam"


class Journal:
    """Opened by one process at a time: the lease keeps two writers apart. Who only looks needs no ``lease``."""

    def __init__(self, folder: Path, lease: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lease = (folder / "lease").open("a+")
        try:
            if lease:
                fcntl.flock(self._lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lease.close()
            raise BusyError(
                f"another cvat-bridge works on this task ({folder}); wait for it to end, or stop it first"
            ) from error
        try:
            self._db = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._lease.close()
            raise FormatError(f"{folder}: the journal cannot be read ({error}); move the folder away") from error
        except FormatError:
            self.close()
            raise

    def _prepare(self) -> None:
        """Checks the version before anything is changed."""
        if self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'document'").fetchone():
            found = self.get("schema")
            if found not in (None, SCHEMA_VERSION):
                raise FormatError(
                    f"{self.folder}: the journal has version {found}, this release reads {SCHEMA_VERSION}: "
                    "use the release that wrote it, or move the folder away"
                )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)
        self.put("schema", SCHEMA_VERSION)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()
        self._lease.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is entered inside."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def get(self, key: str) -> Any:
        """A small JSON document, None where there is none."""
        row = self._db.execute("SELECT value FROM document WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO document VALUES (?, ?)", (key, json.dumps(value)))

    def session(self) -> Session | None:
        """
        Raises:
            FormatError: the journal was changed by something else.
        """
        value = self.get("session")
        if value is None:
            return None
        try:
            return _SESSION.validate_python(value)
        except ValidationError as error:
            raise FormatError(f"{self.folder}: the journal's session cannot be read: {error}") from error

    def put_session(self, session: Session) -> None:
        self.put("session", _SESSION.dump_python(session, mode="json"))

    def next_run(self) -> str:
        """r1, r2, …: names what one push wrote."""
        number = int(self.get("run") or 0) + 1
        self.put("run", number)
        return f"r{number}"

    def last_run(self) -> str:
        """The run of the last push; r0 before the first."""
        return f"r{int(self.get('run') or 0)}"

    def count_runs_from(self, number: int) -> None:
        """The next run has a higher number than this one, which stands in CVAT."""
        self.put("run", max(int(self.get("run") or 0), number))

    def runs(self) -> dict[str, str]:
        """Runs that wrote tracks -> when, in order."""
        rows = self._db.execute("SELECT run, min(taken) FROM snapshot GROUP BY run")
        return dict(sorted(((str(run), str(taken)) for run, taken in rows), key=lambda row: run_number(row[0])))

    def snapshots_since(self, number: int) -> dict[int, dict[str, Any]]:
        """Job id -> its annotations before the first write of this run or a later one."""
        rows = self._db.execute("SELECT job_id, run, body FROM snapshot").fetchall()
        chosen: dict[int, tuple[int, str]] = {}
        for job_id, run, body in rows:
            if run_number(run) >= number and run_number(run) < chosen.get(job_id, (run_number(run) + 1, ""))[0]:
                chosen[job_id] = (run_number(run), body)
        return {job_id: json.loads(body) for job_id, (_, body) in chosen.items()}

    def snapshot(self, run: str, job_id: int, body: dict[str, Any]) -> None:
        """The job's annotations before the run's first write to it; a second one changes nothing."""
        self._db.execute("INSERT OR IGNORE INTO snapshot VALUES (?, ?, ?, ?)", (run, job_id, _now(), json.dumps(body)))

    def intend(self, run: str, kind: str, target: str, body: object) -> int:
        cursor = self._db.execute(
            "INSERT INTO intent (run, kind, target, body, state, entered) VALUES (?, ?, ?, ?, 'intended', ?)",
            (run, kind, target, json.dumps(body), _now()),
        )
        return int(cursor.lastrowid or 0)

    def close_intent(self, intent: int, *, committed: bool) -> None:
        state = "committed" if committed else "failed"
        self._db.execute("UPDATE intent SET state = ?, closed = ? WHERE id = ?", (state, _now(), intent))

    def open_intents(self, kind: str) -> dict[int, str]:
        """Intent -> target of those of a kind that were neither committed nor failed."""
        rows = self._db.execute("SELECT id, target FROM intent WHERE kind = ? AND state = 'intended'", (kind,))
        return {int(intent): str(target) for intent, target in rows}

    def count_intents(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM intent").fetchone()[0])

    def written(self, job_id: int) -> frozenset[str]:
        """Digests of all tracks that we ever sent to a job."""
        rows = self._db.execute("SELECT digest FROM written WHERE job_id = ?", (job_id,))
        return frozenset(str(digest) for (digest,) in rows)

    def confirmed(self, job_id: int) -> dict[str, int]:
        """Digest -> identity of the tracks that were read back and that we have not set out to remove since."""
        rows = self._db.execute("SELECT digest, identity FROM written WHERE job_id = ? AND confirmed", (job_id,))
        return {str(digest): int(identity) for digest, identity in rows}

    def written_identities(self, job_id: int) -> dict[str, int]:
        """Digest -> identity of all tracks that we ever sent to a job."""
        rows = self._db.execute("SELECT digest, identity FROM written WHERE job_id = ? ORDER BY confirmed", (job_id,))
        return {str(digest): int(identity) for digest, identity in rows}

    def highest_identity(self) -> int:
        """The highest lasting identity ever sent, 0 before the first."""
        return int(self._db.execute("SELECT coalesce(max(identity), 0) FROM written").fetchone()[0])

    def add_written(self, job_id: int, tracks: Collection[tuple[int, str]]) -> None:
        """Enters (identity, digest) of tracks before they are sent."""
        self._many("INSERT OR REPLACE INTO written VALUES (?, ?, ?, 0)", [(job_id, *track) for track in tracks])

    def confirm(self, job_id: int, tracks: Collection[tuple[int, str]]) -> None:
        """Enters (identity, digest) of tracks that stand in CVAT; the same content under another identity does not."""
        known = self.confirmed(job_id)
        new = [(job_id, identity, digest) for identity, digest in tracks if known.get(digest) != identity]
        self.unconfirm(job_id, {digest for _, _, digest in new})
        self._many("INSERT OR REPLACE INTO written VALUES (?, ?, ?, 1)", new)

    def unconfirm(self, job_id: int, digests: Collection[str]) -> None:
        statement = "UPDATE written SET confirmed = 0 WHERE job_id = ? AND digest = ?"
        self._many(statement, [(job_id, digest) for digest in digests])

    def _many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """One transaction, hence one wait for the disk, for all rows."""
        if not rows:
            return
        if self._db.in_transaction:
            self._db.executemany(statement, rows)
        else:
            with self.transaction():
                self._db.executemany(statement, rows)

    def withhold(self, job_id: int, identities: set[int]) -> None:
        self._many("INSERT OR IGNORE INTO withheld VALUES (?, ?)", [(job_id, i) for i in identities])

    def withheld(self, job_id: int) -> frozenset[int]:
        rows = self._db.execute("SELECT identity FROM withheld WHERE job_id = ?", (job_id,))
        return frozenset(int(identity) for (identity,) in rows)

    def put_round(self, row: RoundRow) -> None:
        self._db.execute("INSERT OR REPLACE INTO round VALUES (?, ?, ?)", (row.number, row.review_task, row.state))

    def drop_round(self, number: int) -> None:
        """Forgets a round and its cards."""
        self._db.execute("DELETE FROM round WHERE number = ?", (number,))
        self._db.execute("DELETE FROM card WHERE round = ?", (number,))

    def rounds(self) -> tuple[RoundRow, ...]:
        return tuple(RoundRow(*row) for row in self._db.execute("SELECT * FROM round ORDER BY number"))

    def put_cards(self, cards: list[CardRow]) -> None:
        self._many(
            "INSERT OR REPLACE INTO card VALUES (?, ?, ?, ?, ?)",
            [(c.query_id, c.round, c.position, c.file_name, json.dumps(c.to_frame)) for c in cards],
        )

    def cards(self) -> tuple[CardRow, ...]:
        rows = self._db.execute("SELECT * FROM card ORDER BY round, position")
        return tuple(
            CardRow(query_id, number, position, name, tuple(m) if (m := json.loads(to_frame)) else None)
            for query_id, number, position, name, to_frame in rows
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
