"""``watch`` as a person types it: what it prints, what it takes from webhooks, how it ends."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from cvat_sdk import Client

from cvat_bridge.cli import main
from cvat_bridge.commands import watch as command
from cvat_bridge.server import CvatReader
from cvat_bridge.watch import FinishedJobs, finished_jobs
from cvat_bridge.webhooks import SIGNATURE, WebhookListener, signature
from tests.cvat_bridge.accounts import PASSWORDS
from tests.cvat_bridge.bench import Bench
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.proxy import Proxy

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
SECRET = "the-webhook-secret"
LOGIN = {"POST /api/auth/login", "POST /api/auth/logout"}


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also where the tests run in a shell's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def common(proxy: Proxy, tmp_path: Path) -> list[str]:
    return ["--state", str(tmp_path / "state"), "--server-host", proxy.url, "--auth", f"admin:{PASSWORDS['admin']}"]


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


def post(port: int, body: bytes, signed: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", body, {SIGNATURE: signed})
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_watch_is_interrupted_goes_on_by_a_webhook_and_ends_when_all_is_done(
    common: list[str],
    secret_file: Path,
    lead: Client,
    make_task: MakeTask,
    sequence: Path,
    tmp_path: Path,
    proxy: Proxy,
    capsys: Capture,
    monkeypatch: Patch,
) -> None:
    task = make_task()
    bench = Bench(lead, sequence, tmp_path / "state", task)
    detector = f"file:{sequence / 'det' / 'det.txt'}"
    assert main(["sync", str(task), *common, "--detector", detector, "--budget", "0.01", "--rounds", "1"]) == 0
    (review,) = bench.review_tasks()
    proxy.reset()
    capsys.readouterr()

    looks = 0

    def interrupted_at_the_third(reader: CvatReader, review_task: int) -> FinishedJobs | None:
        nonlocal looks
        looks += 1
        if looks == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return finished_jobs(reader, review_task)

    with monkeypatch.context() as patch:
        patch.setattr(command, "finished_jobs", interrupted_at_the_third)
        assert main(["watch", str(task), *common, "--interval", "0.1"]) == 130
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"task {task}: watched; reviewers are at task {review}" in printed.err
    assert "interrupted; run the same command again" in printed.err
    assert set(proxy.writes) <= LOGIN, "an idle watch writes nothing"

    listeners: list[WebhookListener] = []
    statuses: list[int] = []

    class Known(WebhookListener):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)
            listeners.append(self)

    def review_then_tell() -> None:
        bench.answer(bench.reader.jobs(review))
        body = json.dumps({"event": "update:job", "job": {"id": 1, "task_id": review}, "webhook_id": 2}).encode()
        statuses.append(post(listeners[0].port, body, signature(b"guessed", body)))
        statuses.append(post(listeners[0].port, body, signature(SECRET.encode(), body)))

    def reviewed_after_the_first(reader: CvatReader, review_task: int) -> FinishedJobs | None:
        found = finished_jobs(reader, review_task)
        if not statuses and not found:
            threading.Thread(target=review_then_tell, daemon=True).start()
        return found

    monkeypatch.setattr(command, "WebhookListener", Known)
    monkeypatch.setattr(command, "finished_jobs", reviewed_after_the_first)
    listen = ["--listen", "127.0.0.1:0", "--secret-file", str(secret_file)]
    assert main(["watch", str(task), *common, *listen, "--interval", "3600", "--json"]) == 0
    assert statuses == [401, 202]
    printed = capsys.readouterr()
    events = [json.loads(line) for line in printed.out.splitlines()]
    assert [event["event"] for event in events] == ["watching", "listening", "hint", "synced", "done"]
    assert {event["task_id"] for event in events} == {task, None}
    assert events[3]["report"]["phase"] == "done"
    assert events[3]["report"]["clicks"] > 0
    for secret in (SECRET, PASSWORDS["admin"]):
        assert secret not in printed.out + printed.err
        assert not any(secret.encode() in file.read_bytes() for file in bench.state.rglob("*") if file.is_file())

    proxy.reset()
    assert main(["watch", str(task), *common, "--once"]) == 0
    assert set(proxy.writes) <= LOGIN, "a done task is done"


def test_tasks_of_a_project_that_were_never_synced_are_told_and_left_alone(
    common: list[str], lead: Client, make_task: MakeTask, proxy: Proxy, capsys: Capture
) -> None:
    task = make_task()
    project = CvatReader(lead).task(task).project_id
    proxy.reset()
    assert main(["watch", "--project", str(project), *common, "--json"]) == 2
    printed = capsys.readouterr()
    (event,) = [json.loads(line) for line in printed.out.splitlines()]
    assert (event["event"], event["task_id"]) == ("skipped", task)
    assert "begin with cvat-bridge sync" in printed.err
    assert main(["watch", str(task), *common]) == 2
    assert f"run cvat-bridge sync {task} first" in capsys.readouterr().err
    assert set(proxy.writes) <= LOGIN


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "which task"),
        (["1", "--listen", "127.0.0.1:0"], "go together"),
        (["1", "--secret-file", "x"], "go together"),
        (["1", "--listen", "127.0.0.1:0", "--secret-file", "no-such-file"], "cannot be read"),
        (["1", "--listen", "127.0.0.1:0", "--secret-file", os.devnull], "is empty"),
        (["1", "--listen", "127.0.0.1:0", "--secret-file", os.devnull, "--once"], "leave --listen out"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_before_anything_is_sent(
    args: list[str], reason: str, common: list[str], proxy: Proxy, capsys: Capture
) -> None:
    assert main(["watch", *args, *common]) == 2
    assert reason in capsys.readouterr().err
    assert (proxy.reads, proxy.writes.total()) == (0, 0)


@pytest.mark.parametrize(
    "args",
    [["--interval", "0"], ["--interval", "inf"], ["--interval", "x"], ["--listen", "8090"], ["--listen", "a:99999"]],
)
def test_an_option_that_makes_no_sense_ends_with_2(args: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["watch", "1", *args])
    assert ended.value.code == 2
    assert args[0] in capsys.readouterr().err
