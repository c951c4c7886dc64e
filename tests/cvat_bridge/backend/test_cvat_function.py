"""Candidates from a detector function of the user's CVAT: names mapped, scores where there are any, patience."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cvat_sdk import Client, models

from cvat_bridge.assembly import sync_task
from cvat_bridge.backend import cvat_function
from cvat_bridge.backend.cvat_function import CvatFunctionSource
from cvat_bridge.embedded.process import ServerProcess
from cvat_bridge.frames import TaskFrames
from cvat_bridge.progress import Progress
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import SyncOptions
from spam_model.errors import BackendError, InputError
from spam_model.values import Candidates
from tests.cvat_bridge.accounts import PASSWORDS, log_in
from tests.cvat_bridge.embedded.media_files import video
from tests.cvat_bridge.embedded.nuclio_side import NuclioSide
from tests.cvat_bridge.proxy import DROPPED, Fault, Proxy

CALL = "/api/lambda/functions/"


@pytest.fixture(scope="module")
def nuclio() -> Iterator[NuclioSide]:
    with NuclioSide() as running:
        yield running


@pytest.fixture(scope="module")
def gate(nuclio: NuclioSide, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A server that knows the functions, behind a proxy that can fail."""
    folder = tmp_path_factory.mktemp("functions") / "data"
    with ServerProcess(folder, PASSWORDS, functions=nuclio.url) as process, Proxy(process.url) as proxy:
        yield proxy


@pytest.fixture
def client(gate: Proxy) -> Iterator[Client]:
    gate.reset()
    with log_in(gate.url, "admin") as client:
        yield client


@pytest.fixture(scope="module")
def task(gate: Proxy, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Four frames; labels "person" with a confidence, and "walker" without."""
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    file.write_bytes(video(4))
    confidence = models.AttributeRequest(
        name="confidence", mutable=True, input_type="number", default_value="0", values=["0", "100", "1"]
    )
    labels = [
        models.PatchedLabelRequest(name="person", type="rectangle", attributes=[confidence]),
        models.PatchedLabelRequest(name="walker", type="rectangle", attributes=[]),
    ]
    with log_in(gate.url, "admin") as client:
        spec = models.TaskWriteRequest(name="clip", labels=labels)
        return int(client.tasks.create_from_data(spec, [file], data_params={"image_quality": 70}).id)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cvat_function, "time", SimpleNamespace(sleep=lambda seconds: None))


def detect(
    client: Client, task: int, spec: str = "cvat:spam-det", classes: tuple[str, ...] = ("person",), score: float = 0.1
) -> Candidates:
    frames = TaskFrames(CvatReader(client), task, 25.0, classes)
    source = CvatFunctionSource(client, task, spec, classes, score, concurrency=1)
    numbers = frames.numbers()
    return source.detect_frames([frames.frame(number) for number in numbers], numbers, frames.info)


def test_people_are_found_on_every_frame_with_their_score(client: Client, task: int, nuclio: NuclioSide) -> None:
    before = nuclio.calls
    found = detect(client, task)
    assert nuclio.calls == before + 4
    assert found.frame.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert found.info.class_names == ("person",)
    assert set(found.score.tolist()) == {0.87}
    first = 55.0 + before
    assert found.box[:3].tolist() == [[first + 200 * n, 40, first + 200 * n + 30, 100] for n in range(3)]
    assert np.unique(found.id).size == len(found)
    assert found.embedding.shape[0] == len(found)
    assert found.embedding.shape[1] > 0


def test_another_name_can_stand_for_a_class_and_without_an_attribute_the_score_is_1(client: Client, task: int) -> None:
    found = detect(client, task, "cvat:spam-det,person=walker", ("walker",))
    assert len(found) == 12
    assert set(found.score.tolist()) == {1.0}


def test_candidates_below_the_score_are_left_out(client: Client, task: int) -> None:
    assert len(detect(client, task, score=0.9)) == 0


MISTAKES = {
    "cvat:nosuch": (("person",), "no such function; it has: spam-det, x-bad500"),
    "cvat:spam-trk": (("person",), "it is a tracker, no detector"),
    "cvat:spam-det": (("car",), r"it finds person, thing, not car; say what stands for it: .*FUNCTION_LABEL=car"),
    "cvat:spam-det,person": (("person",), "FUNCTION_LABEL=CLASS"),
    "cvat:spam-det,thing=car": (("car",), "the task has no label car"),
}


@pytest.mark.parametrize("spec", MISTAKES)
def test_a_mistake_is_told_before_any_frame_is_sent(client: Client, task: int, nuclio: NuclioSide, spec: str) -> None:
    classes, reason = MISTAKES[spec]
    before = nuclio.calls
    with pytest.raises(InputError, match=reason):
        CvatFunctionSource(client, task, spec, classes, 0.1)
    assert nuclio.calls == before


@pytest.mark.parametrize("status", [408, 429, 503, DROPPED])
def test_a_busy_function_is_asked_again(client: Client, gate: Proxy, task: int, status: int) -> None:
    gate.faults = [Fault("POST", CALL, status, times=cvat_function.ATTEMPTS - 1)]
    assert len(detect(client, task)) == 12


def test_a_function_that_stays_busy_is_told(client: Client, gate: Proxy, task: int) -> None:
    gate.faults = [Fault("POST", CALL, 503, times=99)]
    with pytest.raises(BackendError, match="still busy after"):
        detect(client, task)


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_function_that_fails_is_not_asked_again(client: Client, gate: Proxy, task: int, status: int) -> None:
    gate.faults = [Fault("POST", CALL, status)]
    with pytest.raises(BackendError, match="frame 0 failed"):
        detect(client, task)


def test_sync_takes_it_as_a_detector(client: Client, task: int, tmp_path: Path) -> None:
    said = {"detector": "cvat:spam-det", "frame_rate": 25.0}
    report = sync_task(client, task, tmp_path, said, SyncOptions(budget=0.0, dry_run=True), Progress(quiet=True))
    assert report.phase == "planned"
    assert report.seconds["candidates"] > 0
