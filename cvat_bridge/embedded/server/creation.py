"""Data creation in the background, one task after another, and its polled state in the table of requests."""

import json
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cvat_bridge.embedded.server import database
from cvat_bridge.embedded.server.media import (
    DataOptions,
    MediaError,
    chosen_frames,
    chunk_size,
    files_json,
    read_media,
    segments,
)

log = logging.getLogger(__name__)

RUNNING = ("queued", "started")


def request_id(task_id: int) -> str:
    return f"action=create&target=task&target_id={task_id}"


class CreationQueue:
    """One worker thread. A server that was stopped in between finds the requests failed at its next start."""

    def __init__(self, store: database.Database, media: Path) -> None:
        self._database = store
        self._media = media
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="creation")

    def fail_interrupted(self) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE requests SET status = 'failed', message = 'the server was stopped', finished_date = ?"
                " WHERE status IN (?, ?)",
                (database.now(), *RUNNING),
            )

    def submit(self, connection: sqlite3.Connection, task_id: int, owner_id: int) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO requests (id, task_id, owner_id, status, created_date) VALUES (?, ?, ?, ?, ?)",
            (request_id(task_id), task_id, owner_id, "queued", database.now()),
        )

    def start(self, task_id: int, options: DataOptions) -> None:
        """To be called when the transaction of ``submit`` is through, for the worker reads what it wrote."""
        self._worker.submit(self._run, task_id, options)

    def stop(self) -> None:
        self._worker.shutdown(cancel_futures=True)

    def _run(self, task_id: int, options: DataOptions) -> None:
        try:
            self._set(task_id, status="started", message="Media files are being extracted...")
            self._create(task_id, options)
            self._set(task_id, status="finished", message="")
        except MediaError as error:
            self._set(task_id, status="failed", message=f"MediaError: {error}\n")
        except Exception as error:
            log.exception("data creation of task %d failed", task_id)
            self._set(task_id, status="failed", message=f"{type(error).__name__}: {error}\n")

    def _set(self, task_id: int, status: str, message: str) -> None:
        moment = "started_date" if status == "started" else "finished_date"
        with self._database.transaction() as connection:
            connection.execute(
                f"UPDATE requests SET status = ?, message = ?, {moment} = ? WHERE id = ?",
                (status, message, database.now(), request_id(task_id)),
            )

    def _create(self, task_id: int, options: DataOptions) -> None:
        media = read_media(self._media / str(task_id), options)
        frames = chosen_frames(media, options)
        with self._database.transaction() as connection:
            task = database.one(connection, "SELECT * FROM tasks WHERE id = ?", task_id)
            if task is None:
                return
            split = segments(media, options, len(frames), task["segment_size"], task["overlap"])
            moment = database.now()
            files = media.files if media.kind == "video" else tuple(media.files[number] for number in frames)
            database.insert(
                connection,
                "media",
                task_id=task_id,
                kind=media.kind,
                size=len(frames),
                image_quality=options.image_quality,
                chunk_size=chunk_size(media, options),
                start_frame=frames[0],
                step=options.step,
                frame_filter=options.frame_filter,
                files=files_json(files),
                timestamps=json.dumps(media.timestamps),
                updated_date=moment,
            )
            for start, stop in split.bounds:
                database.insert(
                    connection,
                    "jobs",
                    task_id=task_id,
                    start_frame=start,
                    stop_frame=stop,
                    created_date=moment,
                    updated_date=moment,
                )
            database.update(
                connection,
                "tasks",
                task_id,
                mode="interpolation" if media.kind == "video" else "annotation",
                segment_size=split.segment_size,
                overlap=split.overlap,
                updated_date=moment,
            )
