"""The endpoint for CVAT's webhooks: what it takes as a hint, and what strangers may send without effect."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection

import pytest

from cvat_bridge import webhooks
from cvat_bridge.webhooks import LARGEST_BODY, SIGNATURE, WebhookListener, signature
from spam_model.errors import InputError
from tests.cvat_bridge.embedded import distil

SECRET = b"test-secret"  # that of the recording


@dataclass
class Post:
    """A listener of its own, and the tasks that it hinted at."""

    port: int = 0
    hints: list[int] = field(default_factory=list)

    def __call__(self, body: bytes, signed: str | None, method: str = "POST") -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, "/hook", body, {SIGNATURE: signed} if signed is not None else {})
            response = connection.getresponse()
            assert response.read() == b""
            return response.status
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """The first line of the answer, and no patience for more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as peer:
            peer.sendall(request)
            return peer.makefile("rb").readline().strip()


@pytest.fixture(scope="module")
def listening() -> Iterator[Post]:
    made = Post()
    with WebhookListener("127.0.0.1", 0, SECRET, made.hints.append) as listener:
        made.port = listener.port
        yield made


@pytest.fixture
def post(listening: Post) -> Post:
    listening.hints.clear()
    return listening


def delivery(event: str = "update:job", **more: object) -> bytes:
    """As recorded, without what nobody reads."""
    job = {"id": 66, "task_id": 46, "project_id": 16, "stage": "annotation", "state": "completed"}
    return json.dumps({"job": job, "sender": {"id": 1}, "event": event, "webhook_id": 2} | more).encode()


def test_a_signed_delivery_hints_at_its_task_and_a_repeated_one_once_more(post: Post) -> None:
    body = delivery()
    assert [post(body, signature(SECRET, body)) for _ in range(2)] == [202, 202]
    assert post.hints == [46, 46]


@pytest.mark.parametrize(
    "signed",
    [
        None,
        "",
        "sha256=",
        signature(b"another", delivery()),
        signature(b"", delivery()),
        signature(SECRET, delivery() + b" "),
        signature(SECRET, delivery()).removeprefix("sha256="),
        signature(SECRET, delivery()).upper(),
        "sha256=\xe9" + "0" * 63,
    ],
)
def test_a_delivery_that_is_not_signed_right_is_401_and_nothing_happens(post: Post, signed: str | None) -> None:
    assert post(delivery(), signed) == 401
    assert post.hints == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (delivery("create:issue"), 204),
        (delivery("reboot:world"), 204),
        (delivery(job=None), 204),
        (b'{"event": "ping", "webhook": {"id": 2}, "sender": {"id": 1}}', 204),
        (b'{"event": "delete:task", "task": {"id": 7}}', 202),
        (b"", 400),
        (b"[]", 400),
        (b"{" * 100_000, 400),
        (b"[" * 100_000, 400),
        (delivery(job={"task_id": "../../etc"}), 400),
        (delivery(event=5), 400),
    ],
)
def test_a_signed_body_that_is_no_concern_of_ours_has_no_effect(post: Post, body: bytes, status: int) -> None:
    assert post(body, signature(SECRET, body)) == status
    assert post.hints == ([7] if status == 202 else [])


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"Content-Length: {LARGEST_BODY + 1}", 413),
        ("Content-Length: 99999999999999999999", 413),
        ("Content-Length: -1", 411),
        ("Content-Length: 1_0", 411),
        ("Transfer-Encoding: chunked", 411),
        ("Host: x", 411),
    ],
)
def test_a_body_that_is_huge_or_of_unknown_length_is_refused_before_it_is_read(
    post: Post, head: str, status: int
) -> None:
    assert post.raw(f"POST /hook HTTP/1.1\r\n{head}\r\n\r\n".encode()).split()[1] == str(status).encode()
    assert post.hints == []


def test_the_largest_body_that_is_allowed_is_read(post: Post) -> None:
    body = delivery().ljust(LARGEST_BODY)
    assert post(body, signature(SECRET, body)) == 202


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 501), ("DELETE", 501)])
def test_another_method_is_refused(post: Post, method: str, status: int) -> None:
    connection = HTTPConnection("127.0.0.1", post.port, timeout=10)
    connection.request(method, "/")
    assert connection.getresponse().status == status
    connection.close()


def test_peers_that_say_nothing_take_a_limited_number_of_places(post: Post, capfd: pytest.CaptureFixture[str]) -> None:
    peers = [socket.create_connection(("127.0.0.1", post.port)) for _ in range(webhooks.CONNECTIONS)]
    assert b"503" in post.raw(b"")
    for peer in peers:
        peer.close()
    body = delivery()
    head = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n{SIGNATURE}: {signature(SECRET, body)}\r\n\r\n"
    request = head.encode() + body
    deadline = time.monotonic() + 10
    while b" 202 " not in post.raw(request):
        assert time.monotonic() < deadline, "the places were not given back"
    assert capfd.readouterr().err == "", "what strangers do is not told"


@pytest.mark.parametrize("address", [("127.0.0.1", 1 << 20), ("no.such.host.invalid", 0)])
def test_an_address_that_cannot_be_listened_on_is_named(address: tuple[str, int]) -> None:
    with pytest.raises(InputError, match=f"--listen {address[0]}"):
        WebhookListener(*address, SECRET, lambda task_id: None)


@pytest.mark.shared_data
def test_what_a_real_server_sent_is_understood_and_hints_at_jobs_and_tasks_alone(post: Post) -> None:
    recording = distil.RECORDINGS / "09-webhook-received.jsonl"
    if not recording.exists():
        pytest.skip(f"shared_data: {recording} is not there (set CVAT_SPAM_DATA)")
    statuses: dict[str, set[int]] = {}
    for line in recording.read_text().splitlines():
        request = json.loads(line)["request"]
        status = post(request["body_text"].encode(), request["headers"][SIGNATURE])
        statuses.setdefault(json.loads(request["body_text"])["event"], set()).add(status)
    assert statuses == {
        "ping": {204},
        "create:task": {204},
        "update:task": {202},
        "update:job": {202},
        "create:issue": {204},
        "create:comment": {204},
    }
    assert set(post.hints) == {46}
