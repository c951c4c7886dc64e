"""Distils the recordings of a real CVAT server into the small golden files beside this script.

``python -m tests.cvat_bridge.embedded.distil`` reads ``$CVAT_SPAM_DATA/cvat-traces`` (default ``../shared``). Of each
exchange in scope it keeps what is needed to send it again and to judge the answer: no media, no long texts, ids as
references ``{task:18}`` that the replay translates.
"""

import base64
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cvat_bridge.embedded.server import scope
from tests.cvat_bridge.embedded.shapes import Description, kind_of_id

GOLDEN = Path(__file__).parent / "golden"
RECORDINGS = Path(os.environ.get("CVAT_SPAM_DATA", "../shared")) / "cvat-traces"
SHARED = "shared.json"
_SERVER_SIDES = ("08-nuclio-side", "09-webhook-received")
_USERS = {"annot1": "reviewer1", "review1": "reviewer2"}
_PATH_KINDS = {
    "tasks": "task",
    "jobs": "job",
    "projects": "project",
    "labels": "label",
    "users": "user",
    "guides": "guide",
    "access_tokens": "token",
}
_LAMBDA_KINDS = {"task": "task", "job": "job"}  # how a call of a function names its place
_REQUEST_HEADERS = ("Upload-Start", "Upload-Multiple", "Upload-Finish", "Upload-Length", "Upload-Metadata")
_REQUEST_HEADERS += ("Upload-Offset", "Tus-Resumable", "X-Organization", "If-None-Match")
_ANSWER_HEADERS = ("Upload-Offset", "Upload-Length", "Upload-Filename", "Tus-Resumable", "Www-Authenticate")
_PRESENT_HEADERS = ("Location", "X-Checksum", "X-Updated-Date")
_JSON = "application/vnd.cvat+json"
_LONGEST_TEXT = 200


def recordings() -> list[Path]:
    found = sorted(RECORDINGS.glob("*.jsonl"))
    return [path for path in found if path.stem not in _SERVER_SIDES]


def in_scope(method: str, path: str) -> bool:
    endpoint = scope.find(path)
    return endpoint is not None and method not in endpoint.only_cvat


def _renamed(text: str) -> str:
    for recorded, ours in _USERS.items():
        text = text.replace(recorded, ours)
    return text


def _reference(kind: str, number: int) -> str:
    return f"{{{kind}:{number}}}"


def _path(path: str) -> str:
    def with_references(match: re.Match[str]) -> str:
        return f"{match[1]}/{_reference(_PATH_KINDS[match[1]], int(match[2]))}"

    path = re.sub(r"(\w+)/(\d+)(?=/|$)", with_references, path)
    return re.sub(r"/data/([\w-]{30,})$", r"/data/{upload:\1}", _request_id(path))


def _request_id(text: str) -> str:
    """The id of a background request, percent-encoded or not, with the object that it is about as a reference."""
    kind = "job" if re.search(r"target(%3D|=)job", text) else "task"
    return re.sub(r"(target_id(?:%3D|=))(\d+)", lambda match: match[1] + _reference(kind, int(match[2])), text)


def _query(query: dict[str, str]) -> dict[str, str]:
    described = {}
    for name, value in query.items():
        kind = kind_of_id(name, (), "") if name != "id" else None
        if name == "filter":
            described[name] = _renamed(_filter(value))
        elif name == "rq_id":
            described[name] = _request_id(value)
        else:
            described[name] = _reference(kind, int(value)) if kind and value.isdecimal() else _renamed(value)
    return described


def _filter(text: str) -> str:
    """Ids in JSON logic, whatever the operation."""

    def with_reference(match: re.Match[str]) -> str:
        kind = "task" if match[2] == "id" else kind_of_id(match[2], (), "")
        return f"{match[1]}{_reference(str(kind), int(match[3]))}"

    return re.sub(r'(\{"var": "(id|\w+_id)"\}, )(\d+)', with_reference, text)


def _json_body(value: Any, resource: str, key: str = "", parents: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        below = (*parents, key) if key else parents
        return {name: _json_body(item, resource, name, below) for name, item in value.items()}
    if isinstance(value, list):
        below = (*parents, key)
        return [_json_body(item, resource, "", below) if isinstance(item, dict) else item for item in value]
    kind = kind_of_id(key, parents, resource) or (_LAMBDA_KINDS.get(key) if resource == "lambda" else None)
    if kind is not None and isinstance(value, int):
        return _reference(kind, value)
    return _renamed(value) if isinstance(value, str) else value


def _is_form(body: Any) -> bool:
    return isinstance(body, dict) and "$form" in body


def _form(form: dict[str, Any]) -> dict[str, Any]:
    files = [
        [Path(part["filename"]).name, part.get("image", {}).get("width"), part.get("image", {}).get("height")]
        for part in form.values()
        if isinstance(part, dict)
    ]
    return {"fields": {name: part for name, part in form.items() if isinstance(part, str)}, "files": files}


def _loose(body: Any) -> frozenset[str]:
    """What depends on the moment of the recording: progress of a request, and whether a user has been here before."""
    loose = {"last_login"}
    if isinstance(body, dict) and "finished_date" in body and body["finished_date"] is None:
        loose |= {"message", "started_date", "finished_date", "expiry_date", "result_url"}
        loose |= {"status"} if body["status"] != "failed" else set()
    return frozenset(loose)


class Table:
    """Each thing once; exchanges name it by its place."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place_of(self, thing: Any) -> int:
        return self._places.setdefault(json.dumps(thing, sort_keys=True), len(self._places))

    def things(self) -> list[Any]:
        return [json.loads(text) for text in self._places]


class Distillery:
    """Goes through one recording; remembers the TUS upload that is under way."""

    def __init__(self, shapes: "Table", values: "Table") -> None:
        self._shapes = shapes
        self._values = values
        self._upload: tuple[str, str] = ("", "")  # file name, recorded length

    def distil(self, path: Path) -> dict[str, Any]:
        exchanges = [json.loads(line) for line in path.read_text().splitlines()]
        kept = [
            self._exchange(one)
            for one in exchanges
            if in_scope(one["request"]["method"], unquote(one["request"]["path"]))
        ]
        return {
            "recording": path.name,
            "recorded": len(exchanges),
            "exchanges": kept,
        }

    def _exchange(self, recorded: dict[str, Any]) -> dict[str, Any]:
        request, response = recorded["request"], recorded["response"]
        sent = {
            "n": recorded["n"],
            "note": recorded.get("note"),
            "as": self._credentials(recorded),
            "method": request["method"],
            "path": _path(request["path"]),
            "query": _query(request["query"]),
            "headers": self._request_headers(request["headers"]),
            "body": self._request_body(recorded),
        }
        expected = {"status": response["status"], **self._answer(recorded)}
        full = sent | expected
        return {
            name: value for name, value in full.items() if value not in (None, "") and (value != {} or name == "body")
        }

    def _credentials(self, recorded: dict[str, Any]) -> str:
        """A session of a user, or what the ``Authorization`` header held; the recording hides both."""
        headers, note = recorded["request"]["headers"], recorded.get("note") or ""
        scheme = headers.get("Authorization", "").partition(" ")[0]
        if scheme:
            bad = "-wrong" if "wrong" in note or "unknown" in note else ""
            return f"{scheme.lower()}{bad}"
        if "Cookie" not in headers:
            return ""
        return _renamed(recorded["as"]) + ("-wrong-csrf" if "wrong CSRF" in note else "")

    def _request_headers(self, headers: dict[str, str]) -> dict[str, str]:
        kept = {name: self._sized(headers[name]) for name in _REQUEST_HEADERS if name in headers}
        if headers.get("Accept", _JSON) != _JSON:
            kept["Accept"] = headers["Accept"]
        if headers.get("Content-Type") in ("application/offset+octet-stream", "text/plain"):
            kept["Content-Type"] = headers["Content-Type"]
        if "Upload-Length" in headers:
            name = base64.b64decode(headers["Upload-Metadata"].split()[1]).decode()
            self._upload = (name, headers["Upload-Length"])
            kept["Upload-Length"] = self._sized(headers["Upload-Length"])
        return kept

    def _sized(self, value: str) -> str:
        """The clip of the replay has another size than the recorded one."""
        name, length = self._upload
        return f"{{size:{name}}}" if value == length and name.startswith("clip") else value

    def _request_body(self, recorded: dict[str, Any]) -> Any:
        body, note = recorded["request"]["body"], recorded.get("note") or ""
        if body is None:
            return None
        if _is_form(body):
            return {"$form": _form(body["$form"])}
        if isinstance(body, dict) and "$text" in body:
            return {"$raw": body["$text"]}
        if isinstance(body, dict) and "$bytes" in body:
            return self._part(recorded["request"]["headers"], body)
        resource = recorded["request"]["path"].split("/")[2]
        text = json.dumps(_json_body(body, resource))
        if "<password>" in text:
            text = text.replace("<password>", "{password:wrong}" if "wrong" in note else "{password}")
        if resource == "jobs" and isinstance(body.get("assignee") if isinstance(body, dict) else None, int):
            text = text.replace(f'"assignee": {body["assignee"]}', f'"assignee": "{{user:{body["assignee"]}}}"')
        return json.loads(text)

    def _part(self, headers: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        name, length = self._upload
        offset = int(headers.get("Upload-Offset", "0"))
        if name.startswith("clip"):
            last = offset + body["$bytes"] == int(length)
            return {"$part": [name, offset, None if last else offset + body["$bytes"]]}
        return {"$raw": bytes.fromhex(body["magic"]).decode().ljust(body["$bytes"], "0")}

    def _answer(self, recorded: dict[str, Any]) -> dict[str, Any]:
        response = recorded["response"]
        body, headers = response["body"], response["headers"]
        answer: dict[str, Any] = {"answer_headers": self._answer_headers(headers, body)}
        if isinstance(body, dict) and "$text" in body:
            return answer | ({"text": body["$text"]} if len(body["$text"]) <= _LONGEST_TEXT else {})
        if isinstance(body, dict) and "$bytes" in body:
            return answer | {"binary": self._binary(body)}
        if body is None:
            return answer
        if response["status"] >= 400:
            return answer | {"error": self._error(body)}
        return answer | self._described(recorded["request"]["path"], body)

    def _answer_headers(self, headers: dict[str, Any], body: Any) -> dict[str, Any]:
        kept: dict[str, Any] = {name: self._sized(headers[name]) for name in _ANSWER_HEADERS if name in headers}
        kept |= {name: True for name in _PRESENT_HEADERS if name in headers}
        if body is not None and "Content-Type" in headers:
            kept["Content-Type"] = headers["Content-Type"]
        if isinstance(headers.get("Set-Cookie"), list):
            kept["Set-Cookie"] = sorted(cookie.partition("=")[0] for cookie in headers["Set-Cookie"])
        location = headers.get("Location", "")
        if "/data/" in location:
            kept["Location"] = _path("/api/" + location.partition("/api/")[2])
        return {name: value for name, value in kept.items() if (name, value) != ("Content-Type", _JSON)}

    def _binary(self, body: dict[str, Any]) -> dict[str, Any]:
        if "image" in body:
            return {"image": [body["image"][name] for name in ("format", "width", "height")]}
        if "zip" in body:
            return {"zip": list(body["zip"])}
        return {"magic": body["magic"][8:16] if "66747970" in body["magic"] else body["magic"]}

    def _error(self, body: Any) -> Any:
        """The text, with the ids that it names as references."""
        text = json.dumps(body)
        for pattern, kind in (
            (r"(spec_id `)(\d+)", "attribute"),
            (r"(engine_trackedshape_pkey.*?\(id\)=\()(\d+)", "keyframe"),
            (r"(engine_labeledtrack_pkey.*?\(id\)=\()(\d+)", "track"),
        ):
            text = re.sub(pattern, lambda match, kind=kind: match[1] + _reference(kind, int(match[2])), text)
        return json.loads(text)

    def _described(self, path: str, body: Any) -> dict[str, Any]:
        description = Description(path.split("/")[2], _loose(body))
        shape = description.of(body)
        values = [_renamed(value) if isinstance(value, str) else value for value in description.values]
        return {
            "shape": self._shapes.place_of(shape),
            "ids": [number for _, number in description.ids],
            "values": self._values.place_of(values),
        }


def exported_xml(path: Path) -> str:
    """The first archive that an export gave: CVAT's own word on how tracks are interpolated."""
    for exchange in map(json.loads, path.read_text().splitlines()):
        body = exchange["response"]["body"]
        if exchange["request"]["path"].endswith("/dataset/download"):
            return str(body["zip"]["annotations.xml"])
    raise AssertionError(f"{path} holds no export")


def as_text(golden: dict[str, Any]) -> str:
    """One exchange a line: small, and a change shows in a diff."""
    head = f'"recording":{json.dumps(golden["recording"])},"recorded":{golden["recorded"]}'
    return f'{{{head},"exchanges":{_lines(golden["exchanges"])}}}\n'


def _lines(items: list[Any]) -> str:
    return "[\n" + ",\n".join(json.dumps(item, separators=(",", ":")) for item in items) + "\n]"


def distilled() -> dict[str, str]:
    """Golden file name → its text; shapes and values are shared by all files."""
    found: dict[str, str] = {}
    shapes, values = Table(), Table()
    for path in recordings():
        golden = Distillery(shapes, values).distil(path)
        if golden["exchanges"]:
            found[f"{path.stem}.json"] = as_text(golden)
        if path.stem.startswith("10-export"):
            found[f"{path.stem}.xml"] = exported_xml(path)
    shared = f'{{"shapes":{_lines(shapes.things())},"values":{_lines(values.things())}}}\n'
    return found | {SHARED: shared}


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name, text in distilled().items():
        (GOLDEN / name).write_text(text)
        print(f"{name}: {len(text)} bytes")


if __name__ == "__main__":
    main()
