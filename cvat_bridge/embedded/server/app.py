"""The application: parts put together, and what happens around every call."""

import logging
from pathlib import Path

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from cvat_bridge.embedded.server import (
    annotations,
    auth,
    data,
    exports,
    functions,
    guides,
    jobs,
    labels,
    projects,
    requests,
    scope,
    tasks,
    uploads,
    users,
)
from cvat_bridge.embedded.server.context import Server, end_transaction
from cvat_bridge.embedded.server.creation import CreationQueue
from cvat_bridge.embedded.server.database import Database
from cvat_bridge.embedded.server.frames import FrameStore
from cvat_bridge.embedded.server.replies import SERVER_ERROR, ApiError, reply

log = logging.getLogger(__name__)

_MODULES = (
    auth,
    users,
    projects,
    tasks,
    uploads,
    data,
    jobs,
    labels,
    annotations,
    guides,
    requests,
    exports,
    functions,
)
_LARGEST_BODY = 256 * 2**20  # the SDK sends at most 100 MB of files at once; annotations may be larger
_VERSION = "2.54.1"


def create_server(folder: Path, dashboard: str | None = None) -> Server:
    media = folder / "media"
    media.mkdir(parents=True, exist_ok=True)
    store = Database(folder / "cvat.sqlite3")
    server = Server(store, media, CreationQueue(store, media), FrameStore(media), dashboard)
    server.creations.fail_interrupted()
    return server


def create_app(server: Server) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_BODY
    app.extensions["cvat"] = server
    app.add_url_rule("/api/server/about", view_func=_about, methods=["GET"])
    for module in _MODULES:
        app.register_blueprint(module.blueprint)
    app.before_request(_check_request)
    app.after_request(_finish)
    app.teardown_request(_close)
    app.register_error_handler(ApiError, lambda error: reply(error.body, error.status, _challenge(error)))
    app.register_error_handler(NotFound, _no_such_page)
    app.register_error_handler(MethodNotAllowed, _no_such_page)
    app.register_error_handler(HTTPException, lambda error: reply({"detail": error.description}, error.code or 500))
    app.register_error_handler(Exception, _unexpected)
    return app


def _about() -> Response:
    return reply(
        {
            "name": "Computer Vision Annotation Tool",
            "description": "Embedded stand-in of cvat-spam: answers like CVAT what this project uses of it.",
            "version": _VERSION,
            "logo_url": f"{request.host_url}static/logo.svg",
            "subtitle": "Embedded stand-in",
        }
    )


def _check_request() -> None:
    auth.authenticate()
    organization = request.headers.get("X-Organization") or request.args.get("org") or request.args.get("org_id")
    if organization:
        raise ApiError(404, {"detail": f"{organization} organization does not exist."})
    _check_api_version()


def _check_api_version() -> None:
    for accepted in request.headers.get("Accept", "").split(","):
        kind, _, parameters = accepted.strip().partition(";")
        version = parameters.strip().removeprefix("version=")
        if kind == "application/vnd.cvat+json" and version not in ("", "2.0"):
            raise ApiError(406, {"detail": 'Invalid version in "Accept" header.'})


def _no_such_page(_: HTTPException) -> Response:
    """Not routed: a method or an id that CVAT does not know either, or something that is left to CVAT."""
    endpoint = scope.find(request.path)
    if endpoint is None or request.method in endpoint.only_cvat:
        detail = scope.OUT_OF_SCOPE.format(f"{request.method} {request.path}")
        return reply({"detail": detail}, 501)
    if request.method in endpoint.offered:
        return reply({"detail": "Not found."}, 404)
    allowed = {"Allow": ", ".join(endpoint.offered)}
    return reply({"detail": f'Method "{request.method}" not allowed.'}, 405, allowed)


def _challenge(error: ApiError) -> dict[str, str] | None:
    return {"WWW-Authenticate": "Token"} if error.status == 401 else None


def _unexpected(error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return reply(SERVER_ERROR, 500)


def _finish(response: Response) -> Response:
    end_transaction(commit=response.status_code < 400)
    return response


def _close(_: BaseException | None) -> None:
    connection = g.pop("connection", None)
    if connection is not None:
        connection.close()
