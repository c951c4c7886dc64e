"""One server for the tests that do not stop it, and clients of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cvat_sdk import Client

from cvat_bridge.embedded.process import ServerProcess
from tests.cvat_bridge.accounts import PASSWORDS, log_in
from tests.cvat_bridge.embedded.media_files import video


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data", PASSWORDS) as process:
        yield process


@pytest.fixture(scope="session")
def admin(server: ServerProcess) -> Iterator[Client]:
    with log_in(server.url, "admin") as client:
        yield client


@pytest.fixture(scope="session")
def reviewer(server: ServerProcess) -> Iterator[Client]:
    with log_in(server.url, "reviewer1") as client:
        yield client


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(video(40))
    return path
