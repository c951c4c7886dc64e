"""What the embedded server offers of CVAT's API, in one table.

A call outside of this table is answered with 501 and says so. It is measured against recordings of a real server
2.54.1: a recorded exchange whose method and path are ``offered`` here is replayed by the tests.
"""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Endpoint:
    """One address. ``only_cvat`` lists methods that CVAT has there and this server has not (501, not 405)."""

    path: str
    offered: tuple[str, ...]
    note: str
    only_cvat: tuple[str, ...] = ()
    pattern: re.Pattern[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        pattern = re.sub(r"\{\w+\}", r"[^/]+", self.path)
        slash = "/?" if self.path.endswith(("/annotations", "/data")) else ""
        object.__setattr__(self, "pattern", re.compile(pattern + slash))


SCOPE = (
    Endpoint("/api/server/about", ("GET",), "public: name and version"),
    Endpoint("/api/auth/login", ("POST",), "session cookies for user and password"),
    Endpoint("/api/auth/logout", ("POST",), "ends the session"),
    Endpoint("/api/auth/access_tokens", ("GET", "POST"), "the value is told once, when it is created"),
    Endpoint("/api/auth/access_tokens/self", ("GET",), "the token of this very request"),
    Endpoint("/api/auth/access_tokens/{id}", ("DELETE",), "revokes", ("GET", "PATCH")),
    Endpoint("/api/users", ("GET",), "a reviewer sees only himself"),
    Endpoint("/api/users/self", ("GET",), "who am I"),
    Endpoint("/api/users/{id}", ("GET",), "one user", ("PATCH", "DELETE")),
    Endpoint("/api/projects", ("GET", "POST"), "labels come with the project"),
    Endpoint("/api/projects/{id}", ("GET", "PATCH", "DELETE"), "PATCH: name, bug_tracker, assignee, labels"),
    Endpoint("/api/projects/{id}/preview", ("GET",), "JPEG of the newest task with data"),
    Endpoint("/api/tasks", ("GET", "POST"), "of a project, or with labels of its own"),
    Endpoint("/api/tasks/{id}", ("GET", "PATCH", "DELETE"), "PATCH: name, bug_tracker, subset, assignee, labels"),
    Endpoint("/api/tasks/{id}/preview", ("GET",), "JPEG of the first frame"),
    Endpoint("/api/tasks/{id}/data", ("GET", "POST", "HEAD", "OPTIONS"), "frames and chunks; upload of local files"),
    Endpoint("/api/tasks/{id}/data/meta", ("GET", "PATCH"), "PATCH: deleted_frames"),
    Endpoint("/api/tasks/{id}/data/{upload}", ("PATCH", "HEAD"), "TUS, for files above 100 MB"),
    Endpoint("/api/tasks/{id}/annotations", ("GET", "PATCH", "PUT", "DELETE"), "cut by job", ("POST",)),
    Endpoint("/api/tasks/{id}/dataset/export", ("POST",), "CVAT for video 1.1, no images"),
    Endpoint("/api/tasks/{id}/dataset/download", ("GET",), "what an export has written"),
    Endpoint("/api/jobs", ("GET",), "no ground-truth jobs", ("POST",)),
    Endpoint("/api/jobs/{id}", ("GET", "PATCH", "DELETE"), "DELETE is refused, as by CVAT"),
    Endpoint("/api/jobs/{id}/preview", ("GET",), "JPEG of its first frame"),
    Endpoint("/api/jobs/{id}/data", ("GET",), "frames and chunks"),
    Endpoint("/api/jobs/{id}/data/meta", ("GET", "PATCH"), "PATCH: deleted_frames of the job"),
    Endpoint("/api/jobs/{id}/annotations", ("GET", "PATCH", "PUT", "DELETE"), "no import", ("POST",)),
    Endpoint("/api/labels", ("GET",), "of a task, a job or a project"),
    Endpoint("/api/labels/{id}", ("GET", "PATCH"), "PATCH adds or changes attributes", ("DELETE",)),
    Endpoint("/api/lambda/functions", ("GET",), "those of the function host that the server was started with"),
    Endpoint("/api/lambda/functions/{id}", ("GET", "POST"), "POST: a detector on one frame"),
    Endpoint("/api/guides", ("POST",), "one guide a task or project"),
    Endpoint("/api/guides/{id}", ("GET", "PATCH"), "Markdown shown to reviewers", ("DELETE",)),
    Endpoint("/api/requests", ("GET",), "data creations and exports of the user"),
    Endpoint("/api/requests/{id}", ("GET",), "progress of a data creation or an export", ("POST",)),
)

OUT_OF_SCOPE = "{} is out of scope of the embedded server: see scope"


def find(path: str) -> Endpoint | None:
    return next((endpoint for endpoint in SCOPE if endpoint.pattern.fullmatch(path)), None)


def is_offered(method: str, path: str) -> bool:
    endpoint = find(path)
    return endpoint is not None and method in endpoint.offered
