"""Everything the bridge reads from CVAT. Writes are in ``writer``, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from cvat_sdk.core.client import Client

from cvat_bridge.connection import ATTEMPTS, TIMEOUT, as_server_error, read, read_json
from cvat_bridge.wire import (
    About,
    AccessToken,
    Annotations,
    DataMeta,
    Guide,
    Job,
    Label,
    Page,
    Project,
    Task,
    User,
    parse,
)

PAGE_SIZE = 100


class CvatReader:
    """Typed reads through one SDK client."""

    def __init__(self, client: Client) -> None:
        self._api = client.api_client
        self.host: str = client.api_client.configuration.host

    def about(self) -> About:
        return parse(About, read_json(self._api.server_api.retrieve_about), "the server")

    def server_time(self) -> datetime | None:
        """The server's clock to the second, as it stands on its answers."""
        try:
            _, response = self._api.server_api.retrieve_about(_parse_response=False, _request_timeout=TIMEOUT)
        except Exception as error:
            raise as_server_error(error, "server.retrieve_about") from error
        text = response.headers.get("Date")
        return parsedate_to_datetime(text) if text else None

    def self_user(self) -> User:
        return parse(User, read_json(self._api.users_api.retrieve_self), "the account")

    def own_token(self) -> AccessToken:
        """The access token that this very request was sent with."""
        return parse(AccessToken, read_json(self._api.auth_api.retrieve_access_tokens_self), "the access token")

    def user(self, name: str) -> User | None:
        found = self._list(self._api.users_api.list, search=name)
        return next((user for user in (parse(User, row, "a user") for row in found) if user.username == name), None)

    def task(self, task_id: int) -> Task:
        return parse(Task, read_json(self._api.tasks_api.retrieve, task_id), f"task {task_id}")

    def tasks_of(self, project_id: int) -> tuple[Task, ...]:
        """The tasks of a project, in the order in which they were made."""
        found = self._list(self._api.tasks_api.list, project_id=self.project(project_id).id)
        return tuple(sorted((parse(Task, row, "a task") for row in found), key=lambda task: task.id))

    def task_named(self, name: str, project_id: int) -> Task | None:
        """The newest task of this name in a project."""
        found = self._list(self._api.tasks_api.list, name=name, project_id=project_id)
        return next((task for task in (parse(Task, row, "a task") for row in found) if task.name == name), None)

    def project(self, project_id: int) -> Project:
        return parse(Project, read_json(self._api.projects_api.retrieve, project_id), f"project {project_id}")

    def count_projects(self) -> int:
        """Projects that the account may see in its organization."""
        return parse(Page, read_json(self._api.projects_api.list, page_size=1), "a list").count

    def project_named(self, name: str) -> Project | None:
        found = self._list(self._api.projects_api.list, name=name)
        return next((p for p in (parse(Project, row, "a project") for row in found) if p.name == name), None)

    def guide(self, guide_id: int) -> str:
        """A guide's Markdown."""
        return parse(Guide, read_json(self._api.guides_api.retrieve, guide_id), f"guide {guide_id}").markdown

    def jobs(self, task_id: int, attempts: int = ATTEMPTS) -> tuple[Job, ...]:
        """The task's annotation jobs in the order of their frames."""
        rows = self._list(self._api.jobs_api.list, attempts, task_id=task_id)
        found = (parse(Job, row, "a job") for row in rows)
        return tuple(sorted((job for job in found if job.type == "annotation"), key=lambda job: job.start_frame))

    def labels(self, task_id: int) -> tuple[Label, ...]:
        found = self._list(self._api.labels_api.list, task_id=task_id)
        return tuple(parse(Label, row, "a label") for row in found)

    def data_meta(self, task_id: int) -> DataMeta:
        body = read_json(self._api.tasks_api.retrieve_data_meta, task_id)
        return parse(DataMeta, body, f"the frames of task {task_id}")

    def job_meta(self, job_id: int) -> DataMeta:
        """The frames of one job, in order."""
        return parse(DataMeta, read_json(self._api.jobs_api.retrieve_data_meta, job_id), f"the frames of job {job_id}")

    def job_labels(self, job_id: int) -> tuple[Label, ...]:
        found = self._list(self._api.labels_api.list, job_id=job_id)
        return tuple(parse(Label, row, "a label") for row in found)

    def frame(self, task_id: int, number: int) -> bytes:
        """One frame as CVAT keeps it: PNG for a video, the original file for an image task."""
        return read(self._api.tasks_api.retrieve_data, task_id, type="frame", number=number, quality="original")

    def annotations(self, job_id: int) -> Annotations:
        return parse(Annotations, self.raw_annotations(job_id), f"the annotations of job {job_id}")

    def raw_annotations(self, job_id: int) -> dict[str, Any]:
        """As the server gives them, for snapshots."""
        return dict(read_json(self._api.jobs_api.retrieve_annotations, job_id))

    def _list(self, endpoint: Callable[..., Any], attempts: int = ATTEMPTS, **filters: object) -> list[dict[str, Any]]:
        """All pages of a list, in the server's order (newest first)."""
        rows: list[dict[str, Any]] = []
        number = 1
        while True:
            body = read_json(endpoint, attempts=attempts, page=number, page_size=PAGE_SIZE, **filters)
            page = parse(Page, body, "a list")
            rows += page.results
            if not page.next:
                return rows
            number += 1
