"""A proxy between the SDK and a server: counts what is written, and breaks what it is told to break."""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

WRITES = ("POST", "PUT", "PATCH", "DELETE")
DROPPED = 0  # the connection is closed without an answer
SILENT = -1  # no answer for a while, then as above
SILENT_SECONDS = 0.4


@dataclass
class Fault:
    """What befalls the next ``times`` requests of a method whose path matches.

    ``status`` answers in the server's place, ``DROPPED`` and ``SILENT`` do not answer; ``committed`` lets the server
    do its work first. ``skip`` requests pass unharmed before.
    """

    method: str
    path: str
    status: int
    committed: bool = False
    times: int = 1
    skip: int = 0

    def strikes(self, method: str, path: str) -> bool:
        if self.times == 0 or method != self.method or not re.search(self.path, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Proxy:
    """Serves while the block is open; a client may also name it as its HTTP proxy, whatever address it asks for."""

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.faults: list[Fault] = []
        self.writes: Counter[str] = Counter()
        self.reads = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, format: str, *args: object) -> None:
                pass

            def handle_any(self) -> None:
                proxy.handle(self)

        for method in ("GET", "HEAD", *WRITES):
            setattr(Handler, f"do_{method}", Handler.handle_any)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> None:
        self.faults, self.reads = [], 0
        self.writes.clear()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        method, path = request.command, re.sub(r"^http://[^/]+", "", request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if method in WRITES:
            self.writes[f"{method} {re.sub(r'[0-9]+', 'N', urlsplit(path).path)}"] += 1
        else:
            self.reads += 1
        fault = next((fault for fault in self.faults if fault.strikes(method, path)), None)
        if fault is None:
            self._answer(request, *self._forward(method, path, body, request))
            return
        if fault.committed:
            self._forward(method, path, body, request)
        if fault.status == SILENT:
            time.sleep(SILENT_SECONDS)
        if fault.status in (DROPPED, SILENT):
            request.close_connection = True
            request.connection.shutdown(2)
        else:
            self._answer(request, fault.status, [("Content-Type", "text/html")], b"<h1>gateway</h1>")

    def _forward(
        self, method: str, path: str, body: bytes, request: BaseHTTPRequestHandler
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        try:
            headers = {k: v for k, v in request.headers.items() if k.lower() != "connection"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    @staticmethod
    def _answer(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        request.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "server"):
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
