"""The HTTP side: one port per function, and the part of Nuclio's dashboard that CVAT and the bridge call."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import requests
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.serving import BaseWSGIServer, make_server

from cvat_bridge.embedded.nuclio.config import PROJECT_LABEL, parse_duration
from cvat_bridge.embedded.nuclio.pool import Reply, WorkerPool

HOST = "127.0.0.1"
INVOCATION_TIMEOUT = 60.0  # seconds; the dashboard's own, whatever the function's event timeout is

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
_NAMESPACE = "nuclio"
_POLL_SECONDS = 0.1  # how soon a server notices that it is to stop


class Server:
    """A WSGI application on a port of its own, in threads of its own."""

    def __init__(self, application: Callable[..., Any], port: int = 0) -> None:
        self._server: BaseWSGIServer = make_server(HOST, port, application, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def function_application(pool: WorkerPool) -> Flask:
    """Every request of any method and path is an event."""
    application = Flask(__name__, static_folder=None)
    application.config["MAX_CONTENT_LENGTH"] = pool.config.max_body
    application.config["MAX_FORM_MEMORY_SIZE"] = None

    @application.route("/", defaults={"path": ""}, methods=_METHODS)
    @application.route("/<path:path>", methods=_METHODS)
    def event(path: str) -> Response:
        body = request.get_data(cache=False, parse_form_data=False)
        return _http(pool.invoke(_event_fields(pool, len(body)), body))

    @application.errorhandler(RequestEntityTooLarge)
    def too_large(error: RequestEntityTooLarge) -> Response:
        _discard_body()
        return Response("Request Entity Too Large", status=413, content_type="text/plain")

    return application


def dashboard_application(pools: Mapping[str, WorkerPool], servers: Mapping[str, Server]) -> Flask:
    """``GET /api/functions`` and ``/api/functions/NAME``, ``POST /api/function_invocations``."""
    application = Flask(__name__, static_folder=None)

    @application.get("/api/functions")
    def functions() -> Response:
        project = request.headers.get("x-nuclio-project-name")
        chosen = {name: pool for name, pool in pools.items() if project in (None, pool.config.labels[PROJECT_LABEL])}
        return jsonify({name: _item(pool, servers.get(name)) for name, pool in chosen.items()})

    @application.get("/api/functions/<name>")
    def function(name: str) -> Response:
        if name not in pools:
            return _error(404, "Function not found")
        return jsonify(_item(pools[name], servers.get(name)))

    @application.route("/api/function_invocations", methods=_METHODS)
    def invocation() -> Response:
        name = request.headers.get("x-nuclio-function-name", "")
        if not name:
            return _error(400, "Function name must be provided")
        if name not in servers:
            return _error(404, f"Failed to invoke function: {name} is not there or not ready")
        try:
            given = request.headers.get("x-nuclio-invoke-timeout")
            timeout = INVOCATION_TIMEOUT if given is None else parse_duration(given)
        except ValueError:
            return _error(400, "Invalid invoke timeout")
        headers = {key: value for key, value in request.headers if key.lower() not in ("host", "connection")}
        url = f"{servers[name].url}/{request.headers.get('x-nuclio-path', '').lstrip('/')}"
        try:
            reply = requests.request(request.method, url, data=request.get_data(), headers=headers, timeout=timeout)
        except requests.RequestException as error:
            return _error(500, f"Failed to invoke function: {type(error).__name__} after at most {timeout:g} s")
        return Response(reply.content, status=reply.status_code, content_type=reply.headers.get("Content-Type"))

    return application


def _item(pool: WorkerPool, server: Server | None) -> dict[str, Any]:
    config = pool.config
    status: dict[str, Any] = {"state": pool.state, "logs": [{"message": line} for line in pool.log_tail]}
    if server is not None:
        status["httpPort"] = server.port
    return {
        "metadata": {
            "name": config.name,
            "namespace": _NAMESPACE,
            "labels": dict(config.labels),
            "annotations": dict(config.annotations),
        },
        "spec": {"description": config.description, "handler": config.handler, "runtime": config.runtime},
        "status": status,
    }


def _event_fields(pool: WorkerPool, size: int) -> dict[str, object]:
    """What Nuclio's processor tells the wrapper of an HTTP request, besides its body."""
    return {
        "id": str(uuid.uuid4()),
        "method": request.method,
        "path": request.path,
        "url": request.url,
        "headers": dict(request.headers),
        "fields": request.args.to_dict(),
        "content_type": request.headers.get("Content-Type", ""),
        "size": size,
        "timestamp": time.time(),
        "trigger": {"kind": "http", "name": pool.config.trigger_name},
        "shard_id": 0,
        "num_shards": 0,
        "type": "",
        "type_version": "",
        "version": "",
    }


def _http(reply: Reply) -> Response:
    response = Response(reply.body, status=reply.status, content_type=reply.content_type)
    response.headers.update({name: value for name, value in reply.headers.items() if name.lower() != "content-length"})
    return response


def _error(status: int, message: str) -> Response:
    response = jsonify({"error": message})
    response.status_code = status
    return response


def _discard_body() -> None:
    """Reads what is still to come, or the client would see a reset connection in place of the answer."""
    left = request.content_length or 0
    while left > 0:
        chunk = request.environ["wsgi.input"].read(min(left, 2**20))
        if not chunk:
            return
        left -= len(chunk)
