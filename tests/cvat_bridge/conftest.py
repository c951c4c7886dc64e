"""A server, a proxy in front of it and a small clip, for the tests of the bridge's core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from cvat_sdk import Client, models

from cvat_bridge import connection, writer
from cvat_bridge.embedded.process import ServerProcess
from cvat_bridge.journal import Journal
from cvat_bridge.ownership import ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE
from cvat_bridge.server import CvatReader
from cvat_bridge.writer import CvatWriter
from tests.cvat_bridge.accounts import PASSWORDS, log_in
from tests.cvat_bridge.clips import write_sequence
from tests.cvat_bridge.desk import Desk
from tests.cvat_bridge.proxy import Proxy

MakeTask = Callable[..., int]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """The clips are small: threads cost more than they bring, above all on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sequence(tmp_path_factory.mktemp("clips") / "street")


@pytest.fixture(scope="session")
def cvat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("cvat") / "data", PASSWORDS) as process:
        yield process


@pytest.fixture(scope="session")
def running_proxy(cvat: ServerProcess) -> Iterator[Proxy]:
    with Proxy(cvat.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(running_proxy: Proxy) -> Proxy:
    running_proxy.reset()
    return running_proxy


@pytest.fixture(scope="session")
def lead(running_proxy: Proxy) -> Iterator[Client]:
    """The admin, through the proxy."""
    with log_in(running_proxy.url, "admin") as client:
        yield client


@pytest.fixture(scope="session")
def make_task(lead: Client, sequence: Path) -> MakeTask:
    """Makes a task of the small clip; with our attributes on its label, unless told otherwise."""

    def make(*, attributes: bool = True, segment_size: int = 0, more: tuple[object, ...] = ()) -> int:
        ours = [
            models.AttributeRequest(name=name, mutable=False, input_type="text", default_value="", values=[])
            for name in (ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE)
        ]
        label = models.PatchedLabelRequest(
            name="person", type="rectangle", color="#123456", attributes=[*(ours if attributes else []), *more]
        )
        project = lead.projects.create(models.ProjectWriteRequest(name="street", labels=[label]))
        spec = models.TaskWriteRequest(name="street", project_id=project.id, segment_size=segment_size, overlap=0)
        return int(lead.tasks.create_from_data(spec, [sequence / "video.mp4"], data_params={"image_quality": 90}).id)

    return make


@pytest.fixture(scope="module")
def tasks(make_task: MakeTask) -> dict[bool, int]:
    return {attributes: make_task(attributes=attributes) for attributes in (True, False)}


@pytest.fixture(params=[True, False], ids=["marked", "unmarked"])
def desk(
    request: pytest.FixtureRequest, lead: Client, proxy: Proxy, tasks: dict[bool, int], tmp_path: Path
) -> Iterator[Desk]:
    """Of an empty job, whose label has our attributes or has not."""
    task = tasks[request.param]
    reader = CvatReader(lead)
    with Journal(tmp_path / "journal") as journal:
        made = Desk(lead, reader, CvatWriter(lead, reader, journal), journal, task)
        lead.api_client.jobs_api.destroy_annotations(made.job.id)
        proxy.reset()
        yield made


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses before a repetition are for real servers."""
    monkeypatch.setattr(connection, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(writer, "SETTLE_SECONDS", 0.0)
