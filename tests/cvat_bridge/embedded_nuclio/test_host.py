"""A function on the host behaves as under Nuclio: one test for each rule of its Python runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from cvat_bridge.embedded.nuclio.launch import FunctionHost
from spam_model.errors import BackendError
from tests.cvat_bridge.embedded_nuclio.functions import write_function

ECHO = """
import os
import neighbour

def init_context(context):
    context.user_data.events = 0
    context.logger.info_with("loaded", worker=context.worker_id, trigger=context.trigger.kind)

def handler(context, event):
    context.user_data.events += 1
    print("printed by the handler")
    context.logger.info_with("an event", path=event.path)
    body = event.body
    return {
        "type": type(body).__name__, "body": body.decode() if isinstance(body, bytes) else body,
        "method": event.method, "path": event.path, "fields": event.fields, "trigger": event.trigger.kind,
        "token": event.get_header("x-token"), "size": event.size,
        "pid": os.getpid(), "folder": os.path.basename(os.getcwd()), "neighbour": neighbour.NAME,
        "events": context.user_data.events, "variables": [os.environ.get(name) for name in ("A", "B", "C")],
    }
"""

OUTPUT = """
import json

def handler(context, event):
    R = context.Response
    if event.path == "/raise":
        raise KeyError("a secret")
    return {
        "/str": "text",
        "/dict": {"a": [1]},
        "/status and text": (201, "made"),
        "/status and object": (202, {"a": 1}),
        "/three": (1, 2, 3),
        "/none": None,
        "/bytes": b"\\x00\\xff",
        "/batch": ["first", "second"],
        "/empty batch": [],
        "/response": R(body="r", content_type="text/html", status_code=418, headers={"X-A": "b", "X-N": 3, "X-L": [1]}),
        "/response of bytes": R(body=b"\\x00\\xfe", content_type="application/octet-stream"),
        "/response of an object": R(body={"a": 1}),
        "/response of a list": R(body=[{"a": 1}], content_type="application/json"),
        "/response of JSON": R(body=json.dumps([{"a": 1}]), content_type="application/json"),
    }[event.path]
"""

COROUTINE = """
import asyncio

async def init_context(context):
    await asyncio.sleep(0)
    context.user_data.lock = asyncio.Lock()

async def handler(context, event):
    async with context.user_data.lock:
        await asyncio.sleep(0)
    return "awaited"
"""

SLOW = """
import os, time

def init_context(context):
    context.user_data.events = 0

def handler(context, event):
    context.user_data.events += 1
    if event.path == "/exit":
        os._exit(3)
    time.sleep(float(event.path[1:] or 0))
    return {"pid": os.getpid(), "events": context.user_data.events}
"""

NO_MODEL = """
def init_context(context):
    print("looking for the model")
    raise FileNotFoundError("no weights here")

def handler(context, event):
    return "never"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionHost]:
    folder = tmp_path_factory.mktemp("host")
    functions = folder / "functions"
    variables = [{"name": "A", "value": "from yaml"}, {"name": "B", "value": "from yaml"}]
    annotations = {"annotations": {"name": "Echo", "type": "detector", "version": 2, "spec": "[]"}}
    echo = write_function(functions, "echo", ECHO, metadata=annotations, env=variables)
    (echo / "neighbour.py").write_text("NAME = 'next door'")
    write_function(functions, "output", OUTPUT)
    write_function(functions, "coroutine", COROUTINE)
    write_function(functions, "hanging", SLOW, eventTimeout="1s")
    write_function(functions, "dying", SLOW)
    write_function(functions, "busy", SLOW, trigger={"workerAvailabilityTimeoutMilliseconds": 200})
    write_function(functions, "two", SLOW, trigger={"numWorkers": 2})
    write_function(functions, "small", ECHO.replace("import neighbour", "class neighbour: NAME = ''"),
                   trigger={"attributes": {"maxRequestBodySize": 1000}})  # fmt: skip
    write_function(functions, "broken", NO_MODEL)
    write_function(functions, "internal", COROUTINE, metadata={"labels": {"nuclio.io/project-name": "spam"}})
    with FunctionHost([functions], folder, environment={"B": "from the host", "C": "from the host"}) as running:
        yield running


def post(host: FunctionHost, name: str, path: str = "", **arguments: Any) -> requests.Response:
    return requests.post(f"{host.function_url(name)}/{path}", timeout=20, **arguments)


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "expected"),
    [
        pytest.param("application/json", b'{"a": 1}', "dict", {"a": 1}, id="sound JSON is parsed"),
        pytest.param("application/json", b"[1, 2]", "list", [1, 2], id="a list too"),
        pytest.param("application/json", b'{"a": ', "bytes", '{"a": ', id="broken JSON stays bytes"),
        pytest.param("application/json", b"", "bytes", "", id="no JSON stays bytes"),
        pytest.param("application/json; charset=utf-8", b"{}", "bytes", "{}", id="the type must be exact"),
        pytest.param("application/octet-stream", b"{}", "bytes", "{}", id="bytes stay bytes"),
        pytest.param("application/x-www-form-urlencoded", b"a=1", "bytes", "a=1", id="forms stay bytes"),
        pytest.param(None, b"{}", "bytes", "{}", id="no type"),
    ],
)
def test_a_body_is_parsed_only_where_its_type_is_json(
    host: FunctionHost, content_type: str | None, body: bytes, kind: str, expected: object
) -> None:
    said = post(host, "echo", data=body, headers={"Content-Type": content_type}).json()
    assert (said["type"], said["body"], said["size"]) == (kind, expected, len(body))


def test_an_event_tells_of_the_request(host: FunctionHost) -> None:
    url = f"{host.function_url('echo')}/some/path?a=1"
    said = requests.put(url, headers={"X-TOKEN": "t"}, timeout=20).json()
    assert (said["method"], said["path"], said["fields"]) == ("PUT", "/some/path", {"a": "1"})
    assert (said["token"], said["trigger"]) == ("t", "http")


def test_a_handler_runs_in_its_folder_beside_its_own_modules(host: FunctionHost) -> None:
    said = post(host, "echo").json()
    assert (said["folder"], said["neighbour"]) == ("echo", "next door")


def test_variables_come_from_the_file_and_the_host_goes_before_it(host: FunctionHost) -> None:
    assert post(host, "echo").json()["variables"] == ["from yaml", "from the host", "from the host"]


@pytest.mark.parametrize(
    ("path", "status", "content_type", "body"),
    [
        ("str", 200, "text/plain", b"text"),
        ("dict", 200, "application/json", b'{"a": [1]}'),
        ("status and text", 201, "text/plain", b"made"),
        ("status and object", 202, "application/json", b'{"a": 1}'),
        ("three", 200, "text/plain", b"(1, 2, 3)"),
        ("none", 200, "text/plain", b"None"),
        ("bytes", 200, "text/plain", b"\x00\xff"),
        ("batch", 200, "text/plain", b"first"),
        ("empty batch", 500, "text/plain", b""),
        ("response", 418, "text/html", b"r"),
        ("response of bytes", 200, "application/octet-stream", b"\x00\xfe"),
        ("response of an object", 200, "application/json", b'{"a": 1}'),
        ("response of a list", 200, "application/json", b"[{'a': 1}]"),  # Python's str, not JSON
        ("response of JSON", 200, "application/json", b'[{"a": 1}]'),
    ],
)
def test_an_output_becomes_the_response_that_nuclio_makes_of_it(
    host: FunctionHost, path: str, status: int, content_type: str, body: bytes
) -> None:
    response = post(host, "output", path)
    assert (response.status_code, response.headers["Content-Type"], response.content) == (status, content_type, body)


def test_headers_of_a_response_are_passed_on_where_they_are_text_or_integers(host: FunctionHost) -> None:
    headers = post(host, "output", "response").headers
    assert (headers["X-A"], headers["X-N"]) == ("b", "3")
    assert "X-L" not in headers


def test_an_uncaught_exception_is_a_500_with_the_whole_traceback(host: FunctionHost) -> None:
    response = post(host, "output", "raise")
    assert (response.status_code, response.headers["Content-Type"]) == (500, "text/plain")
    assert response.text.startswith("Exception caught in handler - \"'a secret'\": Traceback")
    assert "main.py" in response.text


def test_coroutines_are_awaited(host: FunctionHost) -> None:
    assert [post(host, "coroutine").text for _ in range(2)] == ["awaited", "awaited"]


def test_a_hung_event_is_killed_between_one_and_two_timeouts_and_its_worker_forgets(host: FunctionHost) -> None:
    before = post(host, "hanging", "0").json()
    start = time.monotonic()
    response = post(host, "hanging", "60")
    assert response.status_code == 408
    assert 1.0 <= time.monotonic() - start < 3.0  # two timeouts, and time to answer on a busy machine
    after = post(host, "hanging", "0").json()
    assert after["events"] == 1
    assert after["pid"] != before["pid"]


def test_an_event_within_the_timeout_is_left_alone(host: FunctionHost) -> None:
    first = post(host, "hanging", "0.6").json()
    second = post(host, "hanging", "0.6").json()
    assert second == {"pid": first["pid"], "events": first["events"] + 1}


def test_a_worker_that_dies_is_started_again(host: FunctionHost) -> None:
    first = post(host, "dying", "0").json()
    assert post(host, "dying", "exit").status_code == 500
    again = post(host, "dying", "0").json()
    assert again["events"] == 1
    assert again["pid"] != first["pid"]


def test_a_function_whose_workers_are_all_busy_answers_503(host: FunctionHost) -> None:
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(post, host, "busy", "1")
        time.sleep(0.3)
        start = time.monotonic()
        refused = post(host, "busy", "0")
        waited = time.monotonic() - start
        assert running.result().status_code == 200
    assert refused.status_code == 503
    assert 0.2 <= waited < 0.7
    assert post(host, "busy", "0").status_code == 200


def test_workers_are_processes_that_share_nothing(host: FunctionHost) -> None:
    with ThreadPoolExecutor(2) as executor:
        said = [future.json() for future in executor.map(lambda _: post(host, "two", "0.5"), range(2))]
    assert len({one["pid"] for one in said}) == 2
    assert [one["events"] for one in said] == [1, 1]


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413), (3_000_000, 413)])
def test_a_body_over_the_limit_is_refused(host: FunctionHost, size: int, status: int) -> None:
    assert post(host, "small", data=b"x" * size).status_code == status


def test_logs_are_json_lines_and_prints_are_left_as_they_are(host: FunctionHost) -> None:
    post(host, "echo", "logged")
    functions = requests.get(f"{host.url}/api/functions", timeout=20).json()
    lines = [entry["message"] for entry in functions["echo"]["status"]["logs"]]
    assert "printed by the handler" in lines
    record = [json.loads(line) for line in lines if "an event" in line][-1]
    assert (record["level"], record["message"], record["with"]) == ("info", "an event", {"path": "/logged"})


def test_a_function_that_cannot_start_is_reported_with_its_log(host: FunctionHost) -> None:
    status = requests.get(f"{host.url}/api/functions/broken", timeout=20).json()["status"]
    assert status["state"] == "error"
    assert "httpPort" not in status
    log = "\n".join(entry["message"] for entry in status["logs"])
    assert "looking for the model" in log
    assert "no weights here" in log
    with pytest.raises(BackendError, match="'broken' is not there or could not start"):
        host.function_url("broken")


def test_the_dashboard_lists_functions_as_cvat_reads_them(host: FunctionHost) -> None:
    item = requests.get(f"{host.url}/api/functions", timeout=20).json()["echo"]
    assert item["metadata"] == {
        "name": "echo",
        "namespace": "nuclio",
        "labels": {"nuclio.io/project-name": "cvat"},
        "annotations": {"name": "Echo", "type": "detector", "version": "2", "spec": "[]"},
    }
    assert item["spec"] == {"description": "test function echo", "handler": "main:handler", "runtime": "python:3.11"}
    assert item["status"]["state"] == "ready"
    assert host.function_url("echo") == f"http://127.0.0.1:{item['status']['httpPort']}"


def test_cvat_is_not_shown_the_functions_of_another_project(host: FunctionHost) -> None:
    url = f"{host.url}/api/functions"
    everything = requests.get(url, timeout=20).json()
    for_cvat = requests.get(url, headers={"x-nuclio-project-name": "cvat"}, timeout=20).json()
    assert set(everything) - set(for_cvat) == {"internal"}


def test_an_unknown_function_is_a_404(host: FunctionHost) -> None:
    response = requests.get(f"{host.url}/api/functions/nosuch", timeout=20)
    assert (response.status_code, response.json()) == (404, {"error": "Function not found"})


def invoke(host: FunctionHost, **headers: str) -> requests.Response:
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    return requests.post(f"{host.url}/api/function_invocations", json={"a": 1}, headers=names, timeout=20)


def test_the_dashboard_invokes_functions(host: FunctionHost) -> None:
    said = invoke(host, x_nuclio_function_name="echo", x_nuclio_path="/some/path").json()
    assert (said["type"], said["body"], said["path"]) == ("dict", {"a": 1}, "/some/path")
    assert invoke(host, x_nuclio_function_name="output", x_nuclio_path="/response").status_code == 418


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 400, "Function name must be provided"),
        ({"x_nuclio_function_name": "nosuch"}, 404, "nosuch is not there"),
        ({"x_nuclio_function_name": "broken"}, 404, "broken is not there or not ready"),
        ({"x_nuclio_function_name": "echo", "x_nuclio_invoke_timeout": "soon"}, 400, "Invalid invoke timeout"),
        (
            {"x_nuclio_function_name": "two", "x_nuclio_path": "1", "x_nuclio_invoke_timeout": "300ms"},
            500,
            "Failed to invoke function",
        ),
    ],
)
def test_the_dashboard_says_why_it_cannot_invoke(
    host: FunctionHost, headers: dict[str, str], status: int, reason: str
) -> None:
    response = invoke(host, **headers)
    assert response.status_code == status
    assert reason in response.json()["error"]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_stopping_the_host_waits_for_the_event_and_calls_the_termination_callback(tmp_path: Path) -> None:
    source = f"""
    import os, time

    def init_context(context):
        context.platform.set_termination_callback(lambda: open({str(tmp_path / "said")!r}, "a").write("terminated"))

    def handler(context, event):
        if event.path == "/pid":
            return str(os.getpid())
        open({str(tmp_path / "began")!r}, "w").close()
        time.sleep(0.8)
        open({str(tmp_path / "said")!r}, "a").write("finished ")
    """
    write_function(tmp_path / "functions", "ending", source)
    with ThreadPoolExecutor(1) as executor, FunctionHost([tmp_path / "functions"], tmp_path, workers=1) as host:
        pid = int(requests.get(f"{host.function_url('ending')}/pid", timeout=20).text)
        executor.submit(lambda: requests.get(host.function_url("ending"), timeout=20))
        while not (tmp_path / "began").exists():
            time.sleep(0.02)
    assert (tmp_path / "said").read_text() == "finished terminated"
    assert not is_running(pid)


def test_a_host_without_functions_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cvat_bridge.embedded.nuclio", "--functions", str(tmp_path)]
    ended = subprocess.run([*command, "--ready-file", str(tmp_path / "ready")], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no function.yaml" in ended.stderr
