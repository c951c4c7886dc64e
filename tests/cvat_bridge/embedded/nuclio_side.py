"""The function side of the recordings: a Nuclio dashboard with the stand-in functions that were deployed there."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any, Self

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

SPEC = [
    {
        "id": 0,
        "name": "person",
        "type": "rectangle",
        "attributes": [
            {"name": "confidence", "input_type": "number", "values": ["0", "100", "1"]},
            {"name": "track_uncertain", "input_type": "checkbox", "values": ["false"]},
            {"name": "note", "input_type": "text", "values": []},
            {"name": "team", "input_type": "select", "values": ["a", "b"]},
        ],
    },
    {"id": 1, "name": "thing"},
]
NAMES = {"spam-det": "SPAM detector", "spam-reid": "SPAM linker", "spam-trk": "SPAM tracker"}
KINDS = {"spam-reid": "reid", "x-pushreid": "reid", "spam-trk": "tracker"}
FUNCTIONS = (
    *("spam-det", "spam-reid", "x-pushreid", "spam-trk", "x-bad500", "x-badjson", "x-nolabel", "x-fewpts", "x-notype"),
    *("x-dictout", "x-trackout", "x-tracksobj", "x-negpts", "x-nullout", "x-badattr", "x-slow", "x-notready"),
)


def found(x1: float) -> list[dict[str, Any]]:
    """What spam-det answered: three people side by side, and much that CVAT drops."""
    values = {"confidence": "87", "track_uncertain": "true", "team": "zzz"}
    people = [
        {
            "type": "rectangle",
            "points": [x1 + 200 * number, 40, x1 + 200 * number + 30, 100],
            "label": "person",
            "confidence": "0.87",
            "group_id": 100 + number,
            "occluded": True,
            "z_order": 5,
            "source": "manual",
            "track_id": number,
            "attributes": [
                *({"name": name, "value": value} for name, value in values.items()),
                {"name": "note", "value": f"spam:{number}"},
            ],
        }
        for number in range(3)
    ]
    other = [
        {"type": "rectangle", "points": [1, 1, 6, 6], "label": "unknown-label", "confidence": 0.5},
        {"type": "polygon", "label": "thing", "points": [10, 10, 50, 10, 50, 50], "confidence": 0.3},
        {"type": "tag", "label": "thing", "confidence": 0.3},
    ]
    return [*people, *other]


class NuclioSide:
    """``calls`` counts the calls of spam-det, which saw the people at x = 55 first and then moved right."""

    def __init__(self) -> None:
        self.calls = 0
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

    def _item(self, name: str) -> dict[str, Any]:
        kind = KINDS.get(name, "detector")
        spec = {"detector": json.dumps(SPEC), "tracker": "[]"}.get(kind, "")
        annotations = {"name": NAMES.get(name, name), "type": kind, "spec": spec}
        if kind == "tracker":
            annotations["supported_shape_types"] = "rectangle"
        port = {} if name == "x-notready" else {"httpPort": self._server.port}
        return {
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"description": f"stand-in {name}"},
            "status": {"state": "ready" if port else "building", **port},
        }

    def _application(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        name = request.path.removeprefix("/api/functions").strip("/")
        if request.method == "GET" and not name:
            return _json({name: self._item(name) for name in FUNCTIONS})
        if request.method == "GET":
            return _json(self._item(name)) if name in FUNCTIONS else Response("{}", 404)
        assert isinstance(json.loads(request.get_data())["image"], str)
        self.calls += 1
        return _json(found(54.0 + self.calls))


def _json(body: Any) -> Response:
    return Response(json.dumps(body), content_type="application/json")
