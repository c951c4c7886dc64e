"""The commands, as a person types them: stdout for machines, stderr for people, exit codes as documented."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cvat_sdk import Client, models

from cvat_bridge.cli import main
from cvat_bridge.server import CvatReader
from tests.cvat_bridge.accounts import PASSWORDS
from tests.cvat_bridge.bench import Bench
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.proxy import Fault, Proxy

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
COMMANDS = ("demo", "doctor", "init", "plan", "sync", "watch", "status", "report", "export", "undo")


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


@pytest.mark.parametrize(
    "args", [[], ["fly"], ["plan"], ["sync", "x"], ["sync", "1", "--budget", "3"], ["sync", "1", "--parallel", "0"]]
)
def test_a_line_that_makes_no_sense_ends_with_2_and_says_why(args: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 2
    assert "cvat-bridge" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["sync", "plan", "init", "undo"])
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
    assert f"next: cvat-bridge plan {task}" in capsys.readouterr().out
    (label,) = CvatReader(lead).labels(task)
    assert [spec.name for spec in label.attributes] == ["spam_id", "spam_uncertainty"]
    assert label.color == "#123456"
    proxy.reset()
    assert main(common) == 0
    assert "have what is needed" in capsys.readouterr().out
    assert not any("labels" in write for write in proxy.writes)


def _answers(answer: str | None) -> Callable[[], str]:
    def said() -> str:
        if answer is None:
            raise EOFError
        return answer

    return said


@pytest.mark.parametrize("answer", ["", "n", "y"])
def test_init_asks_and_says_what_is_lost_without(
    answer: str,
    login: list[str],
    lead: Client,
    make_task: MakeTask,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: Patch,
) -> None:
    task = make_task(attributes=False)
    monkeypatch.setattr("builtins.input", _answers(answer))
    assert main(["init", str(task), "--state", str(tmp_path), *login]) == 0
    printed = capsys.readouterr()
    assert "all its tasks get them" in printed.err
    (label,) = CvatReader(lead).labels(task)
    assert len(label.attributes) == (2 if answer == "y" else 0)
    assert ("what is lost" in printed.out) == (answer != "y")


def test_init_with_nobody_to_ask_wants_a_yes(
    login: list[str], lead: Client, make_task: MakeTask, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    task = make_task(attributes=False)
    monkeypatch.setattr("builtins.input", _answers(None))
    assert main(["init", str(task), "--state", str(tmp_path), *login]) == 2
    assert "give --yes" in capsys.readouterr().err
    assert main(["init", str(task), "--yes", "--json", "--state", str(tmp_path), *login]) == 0
    assert json.loads(capsys.readouterr().out) == {"task_id": task, "changed": ["person"], "without": []}


def test_init_refuses_an_attribute_of_our_name_that_is_not_ours(
    login: list[str], make_task: MakeTask, tmp_path: Path, capsys: Capture
) -> None:
    other = models.AttributeRequest(name="spam_id", mutable=True, input_type="number", default_value="0", values=[])
    task = make_task(attributes=False, more=(other,))
    assert main(["init", str(task), "--yes", "--state", str(tmp_path), *login]) == 2
    assert "a mutable number" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["status", "report"])
def test_a_task_that_was_never_synced_ends_with_2_and_says_what_to_do(
    command: str, login: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([command, "987654", "--state", str(tmp_path), *login]) == 2
    assert "run cvat-bridge sync 987654 first" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_kept_and_done(
    login: list[str], make_task: MakeTask, sequence: Path, tmp_path: Path, capsys: Capture, proxy: Proxy
) -> None:
    task = make_task()
    common = ["--state", str(tmp_path / "state"), *login]
    detector = ["--detector", f"file:{sequence / 'det' / 'det.txt'}", "--budget", "0.01"]
    kept = str(tmp_path / "plan.json")
    assert main(["plan", str(task), *detector, "-o", kept, "--json", *common]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["phase"], planned["task_id"]) == ("planned", task)
    assert main(["plan", str(task), *detector, *common]) == 0
    said = capsys.readouterr().out
    assert f"+ {planned['changes']['create']} tracks to add" in said
    assert f"{planned['would_click']} clicks" in said
    assert main(["sync", "--plan", kept, "--budget", "0.02", *common]) == 2
    assert "say them to cvat-bridge plan" in capsys.readouterr().err
    assert main(["sync", str(task + 1), "--plan", kept, *common]) == 2
    assert f"it is of task {task}" in capsys.readouterr().err
    assert main(["sync", "--plan", kept, "--json", *common]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == planned["changes"]
    assert main(["sync", str(task), "--plan", kept, *common]) == 2
    assert "has changed since it was planned" in capsys.readouterr().err

    assert main(["undo", str(task), "--dry-run", *common]) == 0
    assert "dry run: nothing was sent" in capsys.readouterr().out
    assert main(["undo", str(task), "--json", *common]) == 0
    undone = json.loads(capsys.readouterr().out)
    assert (undone["changes"]["remove"], undone["runs"]) == (planned["changes"]["create"], ["r1"])
    assert main(["undo", str(task), *common]) == 0
    assert "0 tracks of ours removed" in capsys.readouterr().out


def test_a_sync_needs_a_task(login: list[str], capsys: Capture) -> None:
    assert main(["sync", *login]) == 2
    assert "which task?" in capsys.readouterr().err


def test_a_project_is_synced_task_by_task_and_one_that_fails_stops_no_other(
    login: list[str], lead: Client, make_task: MakeTask, sequence: Path, tmp_path: Path, capsys: Capture
) -> None:
    task = make_task()
    project = CvatReader(lead).task(task).project_id
    empty = lead.tasks.create(models.TaskWriteRequest(name="no frames yet", project_id=project))
    common = ["--parallel", "2", "--state", str(tmp_path / "state"), *login]
    detector = ["--detector", f"file:{sequence / 'det' / 'det.txt'}", "--budget", "0"]
    assert main(["sync", "--project", str(project), *detector, "--json", *common]) == 2
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert [report["task_id"] for report in found["tasks"]] == [task]
    assert [(one["task_id"], one["exit_code"]) for one in found["failed"]] == [(empty.id, 2)]
    assert f"task {empty.id}" in printed.err
    assert "has no frames yet" in printed.err
    other = make_task()
    assert main(["sync", str(task), str(other), *detector, *common]) == 0
    assert "2 of 2 tasks synced" in capsys.readouterr().out


def test_the_doctor_says_line_by_line_and_ends_with_1_where_something_fails(
    login: list[str], make_task: MakeTask, tmp_path: Path, capsys: Capture, proxy: Proxy
) -> None:
    task = str(make_task())
    state = ["--state", str(tmp_path)]
    assert main(["doctor", task, *state, *login]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith(f"{len(lines) - 1} checks: 0 failed")
    assert main(["doctor", task, "--classes", "car", "--json", *state, *login]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in found["checks"] if check["status"] == "FAIL"] == ["labels"]
    wrong = ["--server-host", proxy.url, "--auth", "admin:wrong-one"]
    assert main(["doctor", *wrong, *state]) == 1
    printed = capsys.readouterr()
    assert "FAIL  login" in printed.out
    assert "wrong-one" not in printed.out + printed.err


def test_tracks_are_exported_with_their_counts(
    login: list[str], make_task: MakeTask, tmp_path: Path, capsys: Capture
) -> None:
    common = ["export", str(make_task()), "-o", str(tmp_path / "out"), "--state", str(tmp_path), *login]
    assert main([*common, "--format", "coco", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["tracks"], said["boxes"]) == (0, 0)
    assert all(Path(file).is_file() for file in said["files"])
    assert main([*common, "--format", "coco"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*common, "--format", "mot"]) == 0
    assert "0 tracks, 0 boxes" in capsys.readouterr().out
