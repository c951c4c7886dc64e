"""A detector of bright blobs, frames that have some, and a function served in this process that can be made to fail."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Self

import cv2
import numpy as np
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from serverless.functions.engine import Engine, respond
from spam_model.appearance.colour_histogram import ColourHistogram
from spam_model.data.clip import Image
from spam_model.detectors.base import Detections
from spam_model.detectors.sources import ImageDetectorSource
from spam_model.values import ClipInfo

INFO = ClipInfo("clip", frame_count=200, frame_rate=25.0, width=96, height=64)


class BlobDetector:
    """One box per connected bright region; its score is the region's mean brightness over 255."""

    name = "blobs"
    device = "cpu"
    class_names = ("person",)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> Detections:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        count, labels, stats, _ = cv2.connectedComponentsWithStats((grey > 50).astype(np.uint8))
        box = stats[1:, :4].astype(np.float64)
        box[:, 2:] += box[:, :2]
        score = np.array([grey[labels == label].mean() / 255 for label in range(1, count)])
        order = np.argsort(-score, kind="stable")
        return Detections(box[order], score[order], np.zeros(count - 1, np.int64))


def blob_source() -> ImageDetectorSource:
    return ImageDetectorSource(BlobDetector(), ColourHistogram())


def encoded_frames(count: int, first: int = 0) -> Iterator[tuple[int, bytes]]:
    """Two squares that move right, one bright, one dim; every third frame a JPEG."""
    for number in range(first, first + count):
        image = np.zeros((INFO.height, INFO.width, 3), np.uint8)
        image[5:25, number % 60 : number % 60 + 12] = (80, 220, 240)
        image[35:60, number % 50 + 20 : number % 50 + 33] = (90, 60, 120)
        yield number, cv2.imencode(".jpg" if number % 3 == 0 else ".png", image)[1].tobytes()


class SilentLog:
    def info_with(self, message: str, **values: object) -> None:
        pass

    def error_with(self, message: str, **values: object) -> None:
        pass


class ServedEngine:
    """An engine on a port of its own. ``script`` holds what is answered first: statuses, ``reset``, or replies."""

    def __init__(self, engine: Engine | None = None) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self.script: list[int | str | tuple[int, str, str]] = []
        self.received: list[tuple[str, bytes]] = []  # digest and body of each POST
        self.answered = threading.Event()
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self._server = make_server("127.0.0.1", 0, self._application, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _application(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        body = request.get_data()
        with self._lock:
            self.received.append((request.headers.get("X-Spam-Digest", ""), body))
            step = self.script.pop(0) if self.script else None
        if step == "reset":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError  # or werkzeug would answer 500
        if step == "silence":
            self.answered.wait(5)
            return Response()(environ, start_response)
        if isinstance(step, int):
            return Response("Traceback (most recent call last):\n /secret/path", step)(environ, start_response)
        if isinstance(step, tuple):
            return Response(step[2], step[0], content_type=step[1])(environ, start_response)
        assert self._engine is not None
        reply = respond(self._engine, request.method, body, SilentLog())
        return Response(reply.body, reply.status, content_type=reply.content_type)(environ, start_response)
