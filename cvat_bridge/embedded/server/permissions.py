"""Who may see and change what, as CVAT's rules say for users outside of an organization.

Owners and assignees of a project or task may do all that is asked here with what lies in it; the assignee of a job
sees that job and works in it, and nothing around it.
"""

import sqlite3

from cvat_bridge.embedded.server import database
from cvat_bridge.embedded.server.context import db, user
from cvat_bridge.embedded.server.replies import forbidden, not_found

PROJECT_ROWS = """
SELECT p.*, 'annotation' AS status, owner.username AS owner, assignee.username AS assignee,
  (SELECT id FROM guides WHERE project_id = p.id) AS guide_id
FROM projects p LEFT JOIN users owner ON owner.id = p.owner_id LEFT JOIN users assignee ON assignee.id = p.assignee_id
"""
TASK_ROWS = """
SELECT t.*, 'annotation' AS status, '2d' AS dimension, owner.username AS owner, assignee.username AS assignee,
  p.name AS project_name, p.owner_id AS project_owner_id, p.assignee_id AS project_assignee_id,
  (SELECT id FROM guides WHERE task_id = t.id) AS guide_id
FROM tasks t LEFT JOIN projects p ON p.id = t.project_id
LEFT JOIN users owner ON owner.id = t.owner_id LEFT JOIN users assignee ON assignee.id = t.assignee_id
"""
JOB_ROWS = """
SELECT j.*, 'annotation' AS type, '2d' AS dimension, assignee.username AS assignee, t.project_id, t.mode,
  t.name AS task_name, t.bug_tracker, t.owner_id AS task_owner_id, t.assignee_id AS task_assignee_id,
  p.name AS project_name, p.owner_id AS project_owner_id, p.assignee_id AS project_assignee_id,
  (SELECT id FROM guides g WHERE CASE WHEN t.project_id IS NULL THEN g.task_id = t.id
    ELSE g.project_id = t.project_id END) AS guide_id,
  m.kind, m.chunk_size
FROM jobs j JOIN tasks t ON t.id = j.task_id LEFT JOIN projects p ON p.id = t.project_id
LEFT JOIN users assignee ON assignee.id = j.assignee_id JOIN media m ON m.task_id = t.id
"""
_PROJECT_STAFF = ("owner_id", "assignee_id")
_TASK_STAFF = ("owner_id", "assignee_id", "project_owner_id", "project_assignee_id")
_JOB_MANAGERS = ("task_owner_id", "task_assignee_id", "project_owner_id", "project_assignee_id")
_JOB_ASSIGNERS = ("task_owner_id", "project_owner_id", "project_assignee_id")


def _is_one_of(row: sqlite3.Row, roles: tuple[str, ...]) -> bool:
    return user().is_superuser or any(row[role] == user().id for role in roles)


def sees_project(row: sqlite3.Row) -> bool:
    return _is_one_of(row, _PROJECT_STAFF)


def sees_task(row: sqlite3.Row) -> bool:
    return _is_one_of(row, _TASK_STAFF)


def sees_job(row: sqlite3.Row) -> bool:
    return _is_one_of(row, ("assignee_id", *_JOB_MANAGERS))


def project(key: int) -> sqlite3.Row:
    """A project that this user may see and change."""
    row = database.one(db(), f"{PROJECT_ROWS} WHERE p.id = ?", key)
    if row is None:
        not_found("Project")
    if not sees_project(row):
        forbidden()
    return row


def task(key: int) -> sqlite3.Row:
    """A task that this user may see and change."""
    row = database.one(db(), f"{TASK_ROWS} WHERE t.id = ?", key)
    if row is None:
        not_found("Task")
    if not sees_task(row):
        forbidden()
    return row


def job(key: int) -> sqlite3.Row:
    """A job that this user may see and annotate."""
    row = database.one(db(), f"{JOB_ROWS} WHERE j.id = ?", key)
    if row is None:
        not_found("Job")
    if not sees_job(row):
        forbidden()
    return row


def task_of(job: sqlite3.Row) -> sqlite3.Row | None:
    """The task of a job that this user may see; the task itself may be closed to him."""
    return database.one(db(), f"{TASK_ROWS} WHERE t.id = ?", job["task_id"])


def require_owner(row: sqlite3.Row) -> None:
    """Only owners delete; an assignee of a task or project does not."""
    roles = ("owner_id", "project_owner_id") if "project_owner_id" in row.keys() else ("owner_id",)  # noqa: SIM118
    if not _is_one_of(row, roles):
        forbidden()


def require_job_manager(row: sqlite3.Row) -> None:
    if not _is_one_of(row, _JOB_MANAGERS):
        forbidden()


def require_job_assigner(row: sqlite3.Row) -> None:
    if not _is_one_of(row, _JOB_ASSIGNERS):
        forbidden()


def require_sight_of_guide(row: sqlite3.Row) -> None:
    """A guide is for the people who work by it, so the assignees of the jobs see it too."""
    if row["task_id"] is not None:
        jobs = database.rows(db(), f"{JOB_ROWS} WHERE j.task_id = ?", row["task_id"])
        holder = database.one(db(), f"{TASK_ROWS} WHERE t.id = ?", row["task_id"])
        allowed = holder is not None and sees_task(holder)
    else:
        jobs = database.rows(db(), f"{JOB_ROWS} WHERE t.project_id = ?", row["project_id"])
        holder = database.one(db(), f"{PROJECT_ROWS} WHERE p.id = ?", row["project_id"])
        allowed = holder is not None and sees_project(holder)
    if not allowed and not any(sees_job(row) for row in jobs):
        forbidden()
