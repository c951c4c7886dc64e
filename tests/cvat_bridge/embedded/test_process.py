"""The server as a process: started, stopped, started again on the same folder."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from cvat_bridge.embedded.process import ManagedProcess, ServerProcess
from cvat_bridge.embedded.server.__main__ import main
from spam_model.errors import ServerError
from tests.cvat_bridge.accounts import PASSWORDS, log_in
from tests.cvat_bridge.embedded import flows


def test_everything_is_still_there_after_a_restart(tmp_path: Path, clip: Path) -> None:
    folder = tmp_path / "data"
    with ServerProcess(folder, PASSWORDS) as server, log_in(server.url, "admin") as client:
        project = flows.new_project(client)
        task = flows.new_task(client, project, [clip])
        task.update_annotations(flows.body(flows.track(project.get_labels()[0].id, [0, 10])))
        first = task.get_annotations().to_dict()
    with ServerProcess(folder) as server, log_in(server.url, "admin") as client:
        again = client.tasks.retrieve(task.id)
        assert again.get_annotations().to_dict() == first
        assert again.get_frame(3, quality="original").read()[1:4] == b"PNG"


@dataclass(frozen=True)
class Traces:
    """What a server that ran and was stopped could have left behind."""

    folder: Path
    pid: int
    command: str
    session: str


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Traces:
    folder = tmp_path_factory.mktemp("stopped")
    with ServerProcess(folder, PASSWORDS) as server, log_in(server.url, "reviewer1") as client:
        session = client.api_client.cookies["sessionid"].value
        pid = json.loads((folder / "ready.json").read_text())["pid"]
        command = Path(f"/proc/{pid}/cmdline").read_text()
    return Traces(folder, pid, command, session)


def test_no_password_is_written_down_or_shown(traces: Traces) -> None:
    stored = b"".join(path.read_bytes() for path in traces.folder.rglob("*") if path.is_file())
    for secret in (*PASSWORDS.values(), traces.session):
        assert secret not in traces.command
        assert secret.encode() not in stored


def test_leaving_the_block_ends_the_process(traces: Traces) -> None:
    assert not Path(f"/proc/{traces.pid}").exists()
    assert not (traces.folder / "ready.json").exists()


def test_a_new_server_without_a_password_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="needs a password for admin: see --passwords-stdin"), ServerProcess(tmp_path):
        pass


def test_a_password_variable_that_is_not_set_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    args = ["--data", str(tmp_path), "--ready-file", str(tmp_path / "ready.json"), "--admin-password-env", "NOT_SET"]
    assert main(args) == 2
    assert "NOT_SET is not set" in capsys.readouterr().err


def test_a_process_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    process = ManagedProcess("http.server", ["0"], tmp_path / "ready.json", tmp_path / "log", start_seconds=0.5)
    with pytest.raises(ServerError, match=r"was not ready after 0\.5 s"):
        process.__enter__()
    with pytest.raises(ServerError, match="is not running"):
        _ = process.url
