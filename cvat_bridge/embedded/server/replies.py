"""How this server answers: JSON as CVAT sends it, and errors that a handler raises."""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from flask import Response

from cvat_bridge.embedded.server import scope

JSON_TYPE = "application/vnd.cvat+json"
HTML_TYPE = "text/html; charset=utf-8"

_PAGE = '\n<!doctype html>\n<html lang="en">\n<head>\n  <title>{}</title>\n</head>\n<body>\n  <h1>{}</h1><p>{}</p>\n</body>\n</html>\n'  # noqa: E501


@dataclass(frozen=True)
class Html:
    """A body that CVAT does not send as JSON."""

    text: str


SERVER_ERROR = Html(_PAGE.format("Server Error (500)", "Server Error (500)", ""))
NOT_FOUND_PAGE = Html(_PAGE.format("Not Found", "Not Found", "The requested resource was not found on this server."))
REQUIRED = "This field is required."


class ApiError(Exception):
    """The reply of a call that is refused; rolls back what the call did before."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    if isinstance(body, Html):
        return Response(body.text, status, headers, content_type=HTML_TYPE)
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status, headers, content_type=JSON_TYPE)


def empty(status: int = 204, headers: dict[str, str] | None = None) -> Response:
    response = Response(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response


def refuse(body: Any) -> NoReturn:
    raise ApiError(400, body)


def refuse_required(name: str) -> NoReturn:
    refuse({name: [REQUIRED]})


def bad_choice(value: Any) -> list[str]:
    return [f'"{value}" is not a valid choice.']


def forbidden(detail: str = "You do not have permission to perform this action.") -> NoReturn:
    raise ApiError(403, {"detail": detail})


def not_found(model: str) -> NoReturn:
    raise ApiError(404, {"detail": f"No {model} matches the given query."})


def fail_as_cvat_does() -> NoReturn:
    """Where CVAT itself falls over, so does this server: clients must cope with it."""
    raise ApiError(500, SERVER_ERROR)


def out_of_scope(what: str) -> NoReturn:
    raise ApiError(501, {"detail": scope.OUT_OF_SCOPE.format(what)})
