"""A small HTTP endpoint for CVAT's webhooks: a delivery is a hint that a task has changed, never data.

Only the number of the task is taken from a delivery, and only after its signature was found right: ``X-Signature-256:
sha256=HMAC-SHA256(secret, body)``. A delivery that was seen before hints once more, which does no harm.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Self

from pydantic import BaseModel, ValidationError

from spam_model.errors import InputError

SIGNATURE = "X-Signature-256"
LARGEST_BODY = 1 << 20  # bytes; CVAT's deliveries have a few thousand
SILENT_SECONDS = 10.0
CLOSING_SECONDS = 0.1
CONNECTIONS = 8  # at a time
HINTING = ("update:job", "delete:job", "update:task", "delete:task")


class _Job(BaseModel):
    task_id: int


class _Task(BaseModel):
    id: int


class _Delivery(BaseModel):
    event: str
    job: _Job | None = None
    task: _Task | None = None


def signature(secret: bytes, body: bytes) -> str:
    """The header's value, as CVAT computes it over the raw body."""
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"


def task_of(body: bytes) -> int | None:
    """The task that a delivery is about; None for an event that does not concern us.

    Raises:
        ValueError: not a delivery of CVAT's.
    """
    try:
        delivery = _Delivery.model_validate_json(body)
    except ValidationError as error:
        raise ValueError("not a delivery") from error
    if delivery.event not in HINTING:
        return None
    if delivery.job is not None:
        return delivery.job.task_id
    return delivery.task.id if delivery.task is not None else None


class WebhookListener:
    """Listens while the block is open; calls ``hint`` with the task of each delivery that is signed and concerns us.

    Answers: 202 a hint was taken; 204 nothing to do; 400 no delivery; 401 signature wrong or missing; 405 not a POST;
    411 no length; 413 too large; 503 too many connections at a time.
    """

    def __init__(self, host: str, port: int, secret: bytes, hint: Callable[[int], None]) -> None:
        """
        Args:
            port: 0 takes a free one.

        Raises:
            InputError: the address cannot be listened on.
        """

        class Handler(_Handler):
            pass

        Handler.secret, Handler.hint = secret, staticmethod(hint)
        try:
            self._server = _Server((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"--listen {host}:{port}: cannot be listened on ({error}); take another port") from error
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, args=(CLOSING_SECONDS,), name="webhooks", daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 4 * CONNECTIONS

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        assert isinstance(request, socket)
        request.sendall(f"HTTP/1.0 {HTTPStatus.SERVICE_UNAVAILABLE:d} busy\r\n\r\n".encode())
        self.shutdown_request(request)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A peer that goes away or says nothing is nobody's business."""


class _Handler(BaseHTTPRequestHandler):
    timeout = SILENT_SECONDS
    secret: bytes
    hint: Callable[[int], None]

    def do_POST(self) -> None:
        self._answer(self._status())

    def do_GET(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: what a stranger sends does not belong into our output."""

    def _status(self) -> HTTPStatus:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            return HTTPStatus.LENGTH_REQUIRED
        if len(length) > 9 or int(length) > LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        body = self.rfile.read(int(length))
        given = self.headers.get(SIGNATURE, "").encode(errors="replace")
        if not hmac.compare_digest(given, signature(self.secret, body).encode()):
            return HTTPStatus.UNAUTHORIZED
        try:
            task_id = task_of(body)
        except ValueError:
            return HTTPStatus.BAD_REQUEST
        if task_id is None:
            return HTTPStatus.NO_CONTENT
        self.hint(task_id)
        return HTTPStatus.ACCEPTED

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
