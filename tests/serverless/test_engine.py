"""The function behind the remote backend: answers what it is asked, and tells no one what is none of their business."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
import torch

from cvat_bridge.backend import open_backend
from cvat_bridge.backend.batches import MAX_BYTES
from cvat_bridge.backend.remote import MAX_GRAPH_BYTES, RemoteBackend
from cvat_bridge.embedded.nuclio.config import PROJECT_LABEL, FunctionConfig, read_function
from cvat_bridge.embedded.nuclio.launch import FunctionHost
from serverless.functions.engine import Engine, respond
from spam_model import storage, wire
from spam_model.data.clip import Image
from spam_model.errors import ConstraintConflict, InputError
from spam_model.graph.model import SpamModel
from spam_model.values import Anchor, Candidates, ClipInfo, Constraint, ConstraintKind, Constraints, LabelResult

FOLDER = Path(__file__).parents[2] / "serverless" / "pytorch" / "spam" / "engine" / "nuclio"
INFO = ClipInfo("clip", frame_count=30, frame_rate=25.0, width=64, height=48)


def frame() -> bytes:
    return cv2.imencode(".png", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()


class OneBox:
    """One box per frame; ``failure`` is raised in place of it."""

    name = "one-box"
    device = "cpu"

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    def detect_frames(self, images: Sequence[Image], frames: Sequence[int], info: ClipInfo) -> Candidates:
        if self._failure:
            raise self._failure
        count = len(frames)
        return Candidates.build(info, np.array(frames), np.tile([1.0, 2.0, 9.0, 20.0], (count, 1)), np.full(count, 0.7))


class Refusing:
    """A labeler that finds the answers contradictory."""

    version = "0123456789ab"

    def label(self, candidates: Candidates, constraints: Constraints) -> LabelResult:
        raise ConstraintConflict("A is B, and A is not B")


class Log:
    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, object]]] = []

    def info_with(self, message: str, **values: object) -> None:
        self.records.append((message, values))

    error_with = info_with


ENGINE = Engine(OneBox(), Refusing())


def some() -> Candidates:
    return OneBox().detect_frames([], (1, 2, 3), INFO)


CANDIDATES = wire.CandidatesRequest(INFO, (3, 4), (frame(), frame()))
EMPTY = Candidates.build(INFO, np.zeros(0, int), np.zeros((0, 4)), np.zeros(0))


def test_a_get_describes_the_function() -> None:
    reply = respond(ENGINE, "GET", b"", Log())
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert json.loads(reply.body) == {
        "device": "cpu",
        "model": "0123456789ab",
        "detector": "one-box",
        "version": storage.VERSION,
    }


def test_candidates_are_found_and_the_request_is_logged_by_its_digest() -> None:
    log = Log()
    reply = respond(ENGINE, "POST", wire.request_to_bytes(CANDIDATES), log)
    assert (reply.status, reply.content_type) == (200, "application/octet-stream")
    assert wire.candidates_reply_from_bytes(reply.body).frame.tolist() == [3, 4]
    assert log.records[0][1]["digest"] == wire.digest(CANDIDATES)


def later_version(body: bytes) -> bytes:
    now, later = (f'"version":"{version}"'.encode() for version in (storage.VERSION, storage.VERSION + 1))
    assert now in body
    return body.replace(now, later)


@pytest.mark.parametrize(
    ("body", "status", "error", "reason"),
    [
        pytest.param({"image": "..."}, 400, "FormatError", "application/octet-stream", id="what CVAT would send"),
        pytest.param(b"nonsense", 400, "FormatError", "not a request", id="no request"),
        pytest.param(
            later_version(wire.request_to_bytes(CANDIDATES)), 400, "FormatError", "this release reads", id="version"
        ),
        pytest.param(
            wire.request_to_bytes(wire.CandidatesRequest(INFO, (7,), (b"GIF",))), 400, "VideoError", "frame 7",
            id="a damaged frame",
        ),
        pytest.param(
            wire.request_to_bytes(wire.CandidatesRequest(INFO, (7,), (frame(),), "another")), 400, "InputError",
            "runs the detector one-box", id="another detector",
        ),
        pytest.param(
            wire.request_to_bytes(wire.LabelRequest(EMPTY, Constraints())), 409, "ConstraintConflict", "A is B",
            id="contradictory answers",
        ),
    ],
)  # fmt: skip
def test_what_the_caller_did_wrong_is_told_in_short(body: object, status: int, error: str, reason: str) -> None:
    reply = respond(ENGINE, "POST", body, Log())
    said = json.loads(reply.body)
    assert (reply.status, reply.content_type, said["error"]) == (status, "application/json", error)
    assert reason in said["message"]
    assert set(said) == {"error", "message"}


@pytest.mark.parametrize("failure", [RuntimeError("cannot open /opt/secret/weights"), MemoryError()])
def test_what_the_function_did_wrong_is_told_to_its_log_alone(failure: Exception) -> None:
    log = Log()
    reply = respond(Engine(OneBox(failure), Refusing()), "POST", wire.request_to_bytes(CANDIDATES), log)
    assert reply.status == 500
    assert json.loads(reply.body)["error"] == "InternalError"
    assert b"secret" not in reply.body
    assert b"Traceback" not in reply.body
    assert log.records[-1] == ("request failed", {"error": repr(failure)})


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"SPAM_MIN_SCORE": "low"}, "SPAM_MIN_SCORE=low"),
        ({"SPAM_DETECTOR": "nosuch"}, "nosuch"),
        ({"SPAM_DETECTOR": "onnx-yolox:/nosuch.onnx"}, "no such model file"),
    ],
)
def test_an_environment_that_cannot_be_used_ends_the_worker(environment: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Engine.from_environment(environment)


def test_a_function_without_a_detector_only_labels(weights: Path) -> None:
    engine = Engine.from_environment({"SPAM_DETECTOR": "none", "SPAM_WEIGHTS": str(weights), "SPAM_DEVICE": "cpu"})
    assert (engine.describe().detector, engine.describe().device) == ("none", "cpu")
    labelled = respond(engine, "POST", wire.request_to_bytes(wire.LabelRequest(some(), Constraints())), Log())
    assert wire.label_reply_from_bytes(labelled.body).candidates.frame.tolist() == [1, 2, 3]
    refused = respond(engine, "POST", wire.request_to_bytes(CANDIDATES), Log())
    assert refused.status == 400
    assert "has no detector" in json.loads(refused.body)["message"]


@pytest.mark.parametrize("name", ["", "one-box", "onnx-yolox:/models/one-box.onnx"])
def test_a_detector_is_asked_for_by_its_name_or_by_what_it_was_made_from(name: str) -> None:
    engine = Engine(OneBox(), Refusing(), spec="onnx-yolox:/models/one-box.onnx")
    assert len(engine.candidates(wire.CandidatesRequest(INFO, (3,), (frame(),), name))) == 1


@pytest.fixture(scope="module")
def config() -> FunctionConfig:
    return read_function(FOLDER / "function.yaml")


def test_cvat_does_not_list_the_function(config: FunctionConfig) -> None:
    assert "type" not in config.annotations
    assert config.labels[PROJECT_LABEL] != "cvat"


def test_the_function_accepts_what_the_bridge_sends(config: FunctionConfig) -> None:
    assert config.max_body > MAX_BYTES
    assert config.max_body > MAX_GRAPH_BYTES


def test_the_bridge_waits_longer_than_an_event_may_take(config: FunctionConfig) -> None:
    assert config.event_timeout is not None
    backend = RemoteBackend("http://127.0.0.1:1")
    assert backend.timeout > 2 * config.event_timeout


def test_the_handler_only_decodes_calls_and_encodes() -> None:
    assert len((FOLDER / "main.py").read_text().splitlines()) < 50


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    SpamModel().save(path)
    return path


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Detections of a file: the deployed function needs no network weights to be tried whole."""
    path = tmp_path_factory.mktemp("detections") / "det.txt"
    rows = [f"{k + 1},-1,{2 + k},{y},9,15,{0.9 - 0.01 * k},-1,-1,-1" for k in range(30) for y in (3, 25)]
    path.write_text("\n".join(rows))
    return f"file:{path}"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, weights: Path, detector: str) -> Iterator[FunctionHost]:
    environment = {"SPAM_DETECTOR": detector, "SPAM_WEIGHTS": str(weights), "SPAM_DEVICE": "cpu"}
    environment |= {"OMP_NUM_THREADS": "1"}
    with FunctionHost([FOLDER], tmp_path_factory.mktemp("host"), workers=1, environment=environment) as running:
        yield running


def encoded() -> Iterator[tuple[int, bytes]]:
    for number in range(30):
        image = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
        yield number, cv2.imencode(".png", image)[1].tobytes()


def test_the_deployed_function_gives_what_the_model_gives_here(
    host: FunctionHost, weights: Path, detector: str
) -> None:
    remote = RemoteBackend(host.function_url("spam-engine"))
    local = open_backend("local", detector=detector, device="cpu", weights=weights)
    here, there = local.candidates(INFO, encoded()), remote.candidates(INFO, encoded())
    assert len(there) == 60
    for name in ("frame", "box", "score", "class_id", "embedding", "source", "id"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name), strict=True)
    drawn = Anchor(-(2**61), 12, (40.0, 20.0, 50.0, 40.0), 0)
    answers = Constraints((Constraint(ConstraintKind.BOX, drawn, box=(41.5, 20.0, 50.25, 40.0)),))
    result_here, result_there = (each.label(here, answers) for each in (local, remote))
    for name in ("track", "frame", "box", "score", "candidate_id", "uncertainty"):
        one, other = getattr(result_there.labels, name), getattr(result_here.labels, name)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)
    assert len(result_there.candidates) == len(here) + 1
    assert drawn.candidate_id in result_there.labels.candidate_id
    np.testing.assert_array_equal(result_there.candidates.id, result_here.candidates.id)
    described = remote.describe()
    assert (described.kind, described.model_version) == ("remote", local.describe().model_version)


def test_the_deployed_function_refuses_in_json(host: FunctionHost) -> None:
    response = requests.post(host.function_url("spam-engine"), json={"image": "aGk="}, timeout=30)
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/json")
    assert response.json()["error"] == "FormatError"
