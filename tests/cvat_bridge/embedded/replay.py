"""Sends the exchanges of a golden file to a server, in order, and compares its answers with the recorded ones."""

import io
import json
import re
import time
import zipfile
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests

from tests.cvat_bridge.embedded.media_files import decoded, media
from tests.cvat_bridge.embedded.shapes import Comparison, Id

GOLDEN = Path(__file__).parent / "golden"
_SHARED = json.loads((GOLDEN / "shared.json").read_text())
_FREE_IDS = 900_000_000  # ids that a client chose freely must not meet ours
_FREELY_CHOSEN = ("tag", "shape", "track", "keyframe")
_RUNNING = ("queued", "started")
_JSON = "application/vnd.cvat+json"


class Replay:
    """State of one recording's replay: sessions, the token, and our ids for the recorded ones."""

    def __init__(self, url: str, passwords: dict[str, str]) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # they are kept by user
        self._passwords = passwords
        self._ids: dict[Id, int] = {("user", number): number for number in (1, 2, 3)}
        self._uploads: dict[str, str] = {}
        self._cookies: dict[str, requests.cookies.RequestsCookieJar] = {}
        self._token = ""

    def problems_of(self, exchange: dict[str, Any]) -> list[str]:
        """Sends one exchange; an empty list means that the answer is as recorded."""
        answer = self._answer(exchange)
        self._learn(exchange, answer)
        if answer.status_code != exchange["status"]:
            return [f"status {exchange['status']} expected, {answer.status_code} found: {answer.text[:300]}"]
        return [*self._header_problems(exchange, answer), *self._body_problems(exchange, answer)]

    def _answer(self, exchange: dict[str, Any]) -> requests.Response:
        answer = self._send(exchange)
        is_poll = exchange["path"].startswith("/api/requests/") and exchange["status"] == 200
        if is_poll and "started_date" in answer.text and not self._is_running(exchange):
            deadline = time.monotonic() + 20
            while answer.json()["status"] in _RUNNING and time.monotonic() < deadline:
                time.sleep(0.02)
                answer = self._send(exchange)
        return answer

    def _is_running(self, exchange: dict[str, Any]) -> bool:
        return bool(_SHARED["shapes"][exchange["shape"]]["status"] == "any")

    def _send(self, exchange: dict[str, Any]) -> requests.Response:
        headers = {name: self._text(value) for name, value in exchange.get("headers", {}).items()}
        headers.setdefault("Accept", _JSON)
        who = exchange.get("as", "")
        cookies = self._cookies.get(who.removesuffix("-wrong-csrf"))
        self._authorize(who, headers, cookies)
        content = self._content(exchange.get("body"), headers)
        return self._session.request(
            exchange["method"],
            self._url + self._text(exchange["path"]),
            params={name: self._text(value) for name, value in exchange.get("query", {}).items()},
            headers=headers,
            cookies=cookies,
            timeout=30,
            **content,
        )

    def _authorize(self, who: str, headers: dict[str, str], cookies: Any) -> None:
        if cookies is not None:
            headers["X-Csrftoken"] = "wrong" if who.endswith("-wrong-csrf") else cookies["csrftoken"]
        elif who.startswith("basic"):
            password = "wrong" if who.endswith("-wrong") else self._passwords["admin"]
            headers["Authorization"] = requests.auth._basic_auth_str("admin", password)
        elif who.startswith(("bearer", "token")):
            scheme = who.removesuffix("-wrong").capitalize()
            headers["Authorization"] = f"{scheme} {'wrong' if who.endswith('-wrong') else self._token}"

    def _content(self, body: Any, headers: dict[str, str]) -> dict[str, Any]:
        if body is None:
            return {}
        if "$form" in body:
            form = body["$form"]
            files = {
                f"client_files[{place}]": (f"/local/{name}", media(name, width, height))
                for place, (name, width, height) in enumerate(form["files"])
            }
            return {"data": form["fields"], "files": files}
        if "$part" in body:
            name, first, last = body["$part"]
            return {"data": media(name)[first:last]}
        headers.setdefault("Content-Type", "application/json")
        if "$raw" in body:
            return {"data": body["$raw"]}
        if "password" in body:
            known = self._passwords.get(body["username"], "unknown")
            body = body | {"password": known if body["password"] == "{password}" else "wrong"}
        return {"data": json.dumps(self._json(body))}

    def _json(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._json(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._json(item) for item in value]
        if isinstance(value, str) and (match := re.fullmatch(r"\{(\w+):(\d+)\}", value)):
            return self._id(match[1], int(match[2]))
        return self._text(value) if isinstance(value, str) else value

    def _id(self, kind: str, recorded: int) -> int:
        if (kind, recorded) not in self._ids and kind in _FREELY_CHOSEN:
            self._ids[kind, recorded] = _FREE_IDS + recorded
        return self._ids.get((kind, recorded), recorded)

    def _text(self, text: str) -> str:
        def resolved(match: re.Match[str]) -> str:
            kind, key = match[1], match[2]
            if kind == "size":
                return str(len(media(key)))
            if kind == "upload":
                return self._uploads.get(key, key)
            return str(self._id(kind, int(key)))

        return re.sub(r"\{(\w+):([\w.-]+)\}", resolved, text)

    def _learn(self, exchange: dict[str, Any], answer: requests.Response) -> None:
        """What later exchanges need and no body shape holds: cookies, the token, addresses of uploads."""
        path = exchange["path"]
        if path == "/api/auth/login" and answer.ok:
            self._cookies[exchange["body"]["username"]] = answer.cookies
        if path == "/api/auth/access_tokens" and answer.status_code == 201:
            self._token = answer.json()["value"]
        location = str(exchange.get("answer_headers", {}).get("Location", ""))
        if "upload:" in location and "Location" in answer.headers:
            self._uploads[location.partition("upload:")[2].rstrip("}")] = answer.headers["Location"].rsplit("/")[-1]

    def _header_problems(self, exchange: dict[str, Any], answer: requests.Response) -> list[str]:
        problems = []
        expected = {"Content-Type": _JSON} if "shape" in exchange or "error" in exchange else {}
        for name, value in (expected | exchange.get("answer_headers", {})).items():
            found = answer.headers.get(name)
            if name == "Set-Cookie":
                found, value = sorted(re.findall(r"(\w+)=[^;,]*; Expires", found or "")), value
            if found is None or (value is not True and name != "Location" and found != self._expected(value)):
                problems.append(f"header {name}: {value} expected, {found} found")
        return problems

    def _expected(self, value: Any) -> Any:
        return self._text(value) if isinstance(value, str) else value

    def _body_problems(self, exchange: dict[str, Any], answer: requests.Response) -> list[str]:
        if "shape" in exchange:
            values = _SHARED["values"][exchange["values"]]
            comparison = Comparison(self._ids, exchange["ids"], values)
            comparison.walk(_SHARED["shapes"][exchange["shape"]], answer.json())
            return comparison.problems
        if "error" in exchange:
            expected = json.loads(self._text(json.dumps(exchange["error"])))
            found = json.loads(re.sub(r"http://127\.0\.0\.1:\d+(?=/api/functions)", "{nuclio}", answer.text))
            return [] if found == expected else [f"{expected} expected, {found} found"]
        if "text" in exchange:
            return [] if answer.text == exchange["text"] else [f"another text: {answer.text[:200]!r}"]
        if "binary" in exchange:
            return self._binary_problems(exchange["binary"], answer.content)
        return [f"no body expected, {answer.content[:100]!r} found"] if answer.content and answer.ok else []

    def _binary_problems(self, expected: dict[str, Any], content: bytes) -> list[str]:
        if "image" in expected:
            kind = "PNG" if content.startswith(b"\x89PNG") else "JPEG"
            height, width = decoded(content).shape[:2]
            found: Any = [kind, width, height]
        elif "zip" in expected:
            found = zipfile.ZipFile(io.BytesIO(content)).namelist()
        else:
            shown = content.hex()[8:16] if content[4:8] == b"ftyp" else content[:8].hex()
            found = shown
        wanted = next(iter(expected.values()))
        return [] if found == wanted else [f"content {wanted} expected, {found} found"]
