"""The commands, as a person types them: stdout for machines, stderr for people, exit codes as documented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cvat_sdk import Client

from cvat_bridge.cli import main
from cvat_bridge.server import CvatReader
from tests.cvat_bridge.accounts import PASSWORDS
from tests.cvat_bridge.bench import Bench
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.proxy import Fault, Proxy

Capture = pytest.CaptureFixture[str]
COMMANDS = ("demo", "init", "sync", "status", "report")


@pytest.fixture
def login(proxy: Proxy) -> list[str]:
    """As in cvat-cli."""
    return ["--server-host", proxy.url, "--auth", f"admin:{PASSWORDS['admin']}"]


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=lambda command: " ".join(command) or "-")
def test_help_explains_the_command_and_its_exit_codes(command: tuple[str, ...], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "usage: cvat-bridge" in printed.out
    assert command or all(name in printed.out for name in (*COMMANDS, "exit codes"))


@pytest.mark.parametrize("args", [[], ["fly"], ["sync"], ["sync", "x"], ["sync", "1", "--budget", "3"]])
def test_a_line_that_makes_no_sense_ends_with_2_and_says_why(args: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 2
    assert "cvat-bridge" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["sync", "init"])
def test_an_unknown_task_ends_with_7_and_one_clear_line(
    command: str, login: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([command, "987654", "--state", str(tmp_path), *login]) == 7
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = [line for line in printed.err.splitlines() if line.startswith("cvat-bridge:")]
    assert "404" in line
    assert "check the id" in line
    assert PASSWORDS["admin"] not in printed.err


def test_a_wrong_password_ends_with_7(proxy: Proxy, tmp_path: Path, capsys: Capture) -> None:
    args = ["sync", "1", "--state", str(tmp_path), "--server-host", proxy.url, "--auth", "admin:wrong-one"]
    assert main(args) == 7
    printed = capsys.readouterr()
    assert "log in" in printed.err
    assert "wrong-one" not in printed.err


@pytest.mark.parametrize(("status", "advice"), [(401, "CVAT_ACCESS_TOKEN"), (403, "the account lacks the right")])
def test_a_refused_read_ends_with_7_and_advice(
    status: int, advice: str, login: list[str], proxy: Proxy, tmp_path: Path, capsys: Capture
) -> None:
    proxy.faults = [Fault("GET", r"/api/tasks/\d+$", status)]
    assert main(["sync", "1", "--state", str(tmp_path), *login]) == 7
    assert advice in capsys.readouterr().err


def test_a_task_that_was_never_synced_has_no_status(
    login: list[str], make_task: MakeTask, tmp_path: Path, capsys: Capture
) -> None:
    task = make_task()
    assert main(["status", str(task), "--state", str(tmp_path), *login]) == 2
    assert f"run cvat-bridge sync {task} first" in capsys.readouterr().err


def test_a_synced_task_shows_in_status_report_and_json(
    login: list[str], lead: Client, make_task: MakeTask, sequence: Path, tmp_path: Path, capsys: Capture, proxy: Proxy
) -> None:
    task = make_task()
    common = [str(task), "--state", str(tmp_path / "state"), *login]
    detector = f"file:{sequence / 'det' / 'det.txt'}"
    first = ["sync", *common, "--detector", detector, "--budget", "0.01", "--rounds", "1", "--json"]
    assert main(first) == 0
    synced = json.loads(capsys.readouterr().out)
    assert synced["task_id"] == task
    assert synced["phase"] in ("waiting", "done")
    assert synced["changes"]["create"] == len(Bench(lead, sequence, tmp_path, task).tracks())

    proxy.reset()
    assert main(["sync", *common]) == 0
    said = capsys.readouterr().out
    assert f"task {task}: 0 tracks to create" in said

    assert main(["status", *common, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["task_id"], status["clicks"], len(status["rounds"])) == (task, 0, int(synced["questions"] > 0))
    assert main(["status", *common]) == 0
    assert f"task {task}: 0 of {status['budget_clicks']} clicks" in capsys.readouterr().out

    page = tmp_path / "page.html"
    assert main(["report", *common, "-o", str(page)]) == 0
    assert capsys.readouterr().out.strip() == str(page)
    assert "<html" in page.read_text()
    assert set(proxy.writes) <= {"POST /api/auth/login", "POST /api/auth/logout"}


def test_init_adds_what_is_missing_once_and_keeps_the_colour(
    login: list[str], lead: Client, make_task: MakeTask, tmp_path: Path, capsys: Capture, proxy: Proxy
) -> None:
    task = make_task(attributes=False)
    common = ["init", str(task), "--state", str(tmp_path), "--yes", *login]
    assert main(common) == 0
    assert f"next: cvat-bridge sync {task}" in capsys.readouterr().out
    (label,) = CvatReader(lead).labels(task)
    assert [spec.name for spec in label.attributes] == ["spam_id", "spam_uncertainty"]
    assert label.color == "#123456"
    proxy.reset()
    assert main(common) == 0
    assert "have what is needed" in capsys.readouterr().out
    assert not any("labels" in write for write in proxy.writes)


def test_init_changes_nothing_without_a_yes(
    login: list[str],
    lead: Client,
    make_task: MakeTask,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = make_task(attributes=False)
    monkeypatch.setattr("builtins.input", lambda question: "")
    assert main(["init", str(task), "--state", str(tmp_path), *login]) == 0
    assert "nothing was changed" in capsys.readouterr().out
    (label,) = CvatReader(lead).labels(task)
    assert label.attributes == ()


@pytest.mark.parametrize("command", ["status", "report"])
def test_a_task_that_was_never_synced_ends_with_2_and_says_what_to_do(
    command: str, login: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([command, "987654", "--state", str(tmp_path), *login]) == 2
    assert "run cvat-bridge sync 987654 first" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
