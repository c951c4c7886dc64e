"""Downloading, from a server of our own that can be told to misbehave."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from spam_model.cli import main
from spam_model.commands import fetch_weights as command
from spam_model.detectors import fetch
from spam_model.detectors.download import download
from spam_model.detectors.fetch import WeightsRelease, cache_folder, fetch_weights, is_cached
from spam_model.errors import FetchError

DATA = bytes(range(256)) * 5000
PART = Path(".net.pth.part")


class FileServer(ThreadingHTTPServer):
    """Serves ``data``; ``ranges`` are those that were asked for, None for the whole."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data = DATA
        self.breaks_after: int | None = None
        self.knows_ranges = True
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/net.pth"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.knows_ranges else 0
        body = self.server.data[start:]
        if not body:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.breaks_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def release(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsRelease:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    release = WeightsRelease(server.url, hashlib.sha256(DATA).hexdigest(), "Apache-2.0")
    for module in (fetch, command):
        monkeypatch.setattr(module, "WEIGHTS", {"net": release})
    return release


def in_cache() -> list[str]:
    return sorted(path.name for path in cache_folder().iterdir())


def test_a_release_is_fetched_once(server: FileServer) -> None:
    assert not is_cached("net")
    folder = fetch_weights("net")
    assert (folder / "net.pth").read_bytes() == DATA
    assert is_cached("net")
    assert fetch_weights("net") == folder
    assert server.ranges == [None]
    assert in_cache() == ["net"]


def test_what_has_come_before_a_break_is_not_fetched_again(server: FileServer) -> None:
    server.breaks_after = 1000
    with pytest.raises(FetchError, match=rf"broke off after 1000 of {len(DATA)} bytes.*fetch-weights net` \(again\)"):
        fetch_weights("net")
    assert (cache_folder() / PART).read_bytes() == DATA[:1000]
    server.breaks_after = None
    assert (fetch_weights("net") / "net.pth").read_bytes() == DATA
    assert server.ranges == [None, "bytes=1000-"]
    assert in_cache() == ["net"]


@pytest.mark.parametrize(
    ("kept", "knows_ranges", "asked"),
    [
        pytest.param(DATA[:7], False, ["bytes=7-"], id="a server that sends all of it again"),
        pytest.param(DATA, True, [f"bytes={len(DATA)}-"], id="nothing lacks but the check"),
        pytest.param(b"of a file that has changed", True, ["bytes=26-", None], id="the part is of another file"),
        pytest.param(DATA + b"more", True, [f"bytes={len(DATA) + 4}-", None], id="the part is too long"),
    ],
)
def test_any_part_that_was_left_behind_ends_well(
    server: FileServer, kept: bytes, knows_ranges: bool, asked: list[str | None]
) -> None:
    server.knows_ranges = knows_ranges
    cache_folder().mkdir()
    (cache_folder() / PART).write_bytes(kept)
    assert (fetch_weights("net") / "net.pth").read_bytes() == DATA
    assert server.ranges == asked


def test_another_file_is_refused_and_not_kept(server: FileServer) -> None:
    server.data = b"<html>please log in</html>"
    with pytest.raises(FetchError, match="does not have the expected SHA-256"):
        fetch_weights("net")
    assert in_cache() == []


def test_offline_it_says_where_the_file_may_be_put(
    server: FileServer, release: WeightsRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "WEIGHTS", {"net": WeightsRelease("http://127.0.0.1:9/net.pth", release.sha256, "MIT")})
    with pytest.raises(
        FetchError, match=r"no answer from .*Connection refused.*put the file.*at .*net/net.pth"
    ) as raised:
        fetch_weights("net")
    assert in_cache() == []
    place = cache_folder() / "net" / "net.pth"
    assert str(place) in str(raised.value)
    place.parent.mkdir()
    place.write_bytes(DATA)
    assert fetch_weights("net") == place.parent


def test_a_server_that_refuses_is_quoted(server: FileServer, tmp_path: Path) -> None:
    server.data = b""
    with pytest.raises(FetchError, match="answers 416"):
        download(server.url, tmp_path / "file")


def test_the_list_tells_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch-weights", "net", "--list", "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    fetch_weights("net")
    assert main(["fetch-weights", "net", "--list", "--json"]) == 0
    after = json.loads(capsys.readouterr().out)
    assert [[entry["cached"] for entry in said["weights"]] for said in (before, after)] == [[False], [True]]
    assert after["weights"][0]["sha256"] == {"net.pth": hashlib.sha256(DATA).hexdigest()}
    assert main(["fetch-weights", "net", "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["net", "yes", "Apache-2.0", str(cache_folder() / "net")]
