"""Both backends give one result, and a failing function gives one clear error."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cvat_bridge.backend import Backend, BackendDescription, open_backend, remote, transport
from cvat_bridge.backend.local import LocalBackend
from cvat_bridge.backend.remote import RemoteBackend
from cvat_bridge.backend.select import is_precomputed
from serverless.functions.engine import Engine
from spam_model import storage
from spam_model.errors import BackendError, ConstraintConflict, InputError, VideoError
from spam_model.graph.model import SpamModel
from spam_model.labeler import Labeler
from spam_model.values import Anchor, Candidates, Constraint, ConstraintKind, Constraints, LabelResult, Source
from tests.cvat_bridge.backend.fakes import INFO, ServedEngine, blob_source, encoded_frames


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return Labeler(SpamModel().eval(), torch.device("cpu"))


@pytest.fixture
def served(labeler: Labeler) -> Iterator[ServedEngine]:
    with ServedEngine(Engine(blob_source(), labeler)) as running:
        yield running


@pytest.fixture
def local(labeler: Labeler) -> LocalBackend:
    return LocalBackend(blob_source(), labeler)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "BACKOFF", 0.0)
    monkeypatch.setattr(transport, "JITTER", 0.0)


def assert_same(a: object, b: object) -> None:
    """Equal to the bit, through dataclasses, tuples and arrays."""
    if dataclasses.is_dataclass(a):
        assert type(a) is type(b)
        for field in dataclasses.fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b, strict=True)
    elif isinstance(a, tuple):
        assert isinstance(b, tuple)
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        assert a == b


def some_constraints(candidates: Candidates) -> Constraints:
    def anchor(row: int) -> Anchor:
        return Anchor(
            int(candidates.id[row]), int(candidates.frame[row]), tuple(candidates.box[row]), 0  # type: ignore[arg-type]
        )  # fmt: skip

    gone = Anchor(10**9, 3, (0.0, 0.0, 1.0, 1.0), 0)
    return Constraints(
        (
            Constraint(ConstraintKind.REJECT, anchor(5)),
            Constraint(ConstraintKind.MUST_LINK, anchor(0), anchor(40)),
            Constraint(ConstraintKind.REJECT, gone),
        )
    )


def test_both_backends_find_the_same_candidates_to_the_bit(served: ServedEngine, local: LocalBackend) -> None:
    backend = RemoteBackend(served.url, concurrency=3)
    done: list[int] = []
    found = backend.candidates(INFO, encoded_frames(50), done.append)
    assert len(found) == 100
    assert found.embedding.shape[1] > 0
    assert_same(found, local.candidates(INFO, encoded_frames(50)))
    assert sorted(done) == [2, 16, 16, 16]


def test_both_backends_label_the_same_to_the_bit(served: ServedEngine, local: LocalBackend) -> None:
    candidates = local.candidates(INFO, encoded_frames(40))
    constraints = some_constraints(candidates)
    labelled = RemoteBackend(served.url).label(candidates, constraints)
    assert isinstance(labelled, LabelResult)
    assert len(labelled.hierarchy.levels) > 0
    assert len(labelled.unmatched) == 1
    assert_same(labelled, local.label(candidates, constraints))


def test_on_both_backends_a_box_that_a_person_drew_is_a_candidate_and_a_label(
    served: ServedEngine, local: LocalBackend
) -> None:
    candidates = local.candidates(INFO, encoded_frames(40))
    candidates = candidates.take(candidates.frame != 20)
    box = (20.125, 5.5, 32.25, 25.75)
    drawn = Anchor(-(2**60) - 1, 20, (20.0, 5.0, 32.0, 25.0), 0)
    constraints = Constraints((Constraint(ConstraintKind.BOX, drawn, box=box),))
    for backend in both(served, local):
        result = backend.label(candidates, constraints)
        (row,) = result.candidates.rows_of(np.array([drawn.candidate_id]))
        assert len(result.candidates) == len(candidates) + 1
        assert len(result.hierarchy.track_of) == len(result.candidates)
        assert (result.candidates.source[row], result.candidates.frame[row]) == (Source.PERSON, 20)
        (label,) = np.flatnonzero(result.labels.candidate_id == drawn.candidate_id)
        assert tuple(result.labels.box[label]) == box
        assert result.unmatched == ()
    assert_same(*(backend.label(candidates, constraints) for backend in both(served, local)))


def test_both_backends_describe_themselves(served: ServedEngine, local: LocalBackend, labeler: Labeler) -> None:
    assert local.describe() == BackendDescription("local", "cpu", labeler.version, "blobs")
    assert RemoteBackend(served.url).describe() == BackendDescription("remote", "cpu", labeler.version, "blobs")


def test_frames_are_read_as_they_are_sent(served: ServedEngine) -> None:
    read = done = furthest = 0

    def frames() -> Iterator[tuple[int, bytes]]:
        nonlocal read, furthest
        for frame in encoded_frames(160):
            read += 1
            furthest = max(furthest, read - done)
            yield frame

    def progress(count: int) -> None:
        nonlocal done
        done += count

    RemoteBackend(served.url, concurrency=2).candidates(INFO, frames(), progress)
    assert (read, done) == (160, 160)
    assert furthest <= 3 * 16 + 1  # two batches under way, one waiting, one frame ahead


def both(served: ServedEngine, local: LocalBackend) -> list[Backend]:
    return [local, RemoteBackend(served.url)]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [(b"<html>", "frame 3 of 'clip' is no image"), (b"", "frame 3 of 'clip' is no image")],
)
def test_both_backends_name_a_frame_that_does_not_decode(
    served: ServedEngine, local: LocalBackend, frame: bytes, reason: str
) -> None:
    for backend in both(served, local):
        with pytest.raises(VideoError, match=reason):
            backend.candidates(INFO, [*encoded_frames(3), (3, frame)])


def test_both_backends_refuse_a_clip_without_frames(served: ServedEngine, local: LocalBackend) -> None:
    for backend in both(served, local):
        with pytest.raises(InputError, match="'clip' has no frame"):
            backend.candidates(INFO, [])


def test_what_fails_in_passing_is_sent_again_unchanged(served: ServedEngine, local: LocalBackend) -> None:
    served.script = [503, "reset", 429, 408]
    found = RemoteBackend(served.url, timeout=20).candidates(INFO, encoded_frames(4))
    assert_same(found, local.candidates(INFO, encoded_frames(4)))
    assert len(served.received) == 5
    assert len({digest for digest, _ in served.received} | {body for _, body in served.received}) == 2


@pytest.mark.parametrize(
    ("step", "error", "reason"),
    [
        (404, BackendError, "answered 404 .*nothing answers at this address; check the port"),
        (413, BackendError, "answered 413 .*maxRequestBodySize"),
        (500, BackendError, r"answered 500 \(Traceback \(most recent call last\):\): see the function's log"),
        (
            (500, "application/json", '{"error": "InternalError", "message": "out of memory"}'),
            BackendError,
            r"answered 500 \(out of memory\)",
        ),
        (
            (409, "application/json", '{"error": "ConstraintConflict", "message": "A and B"}'),
            ConstraintConflict,
            "^A and B$",
        ),
        ((400, "application/json", '{"error": "SystemExit", "message": "no error of ours"}'), BackendError, "400"),
        ((400, "text/html", "<h1>Bad Request</h1>"), BackendError, "answered 400 .*Bad Request"),
    ],
)
def test_what_does_not_pass_is_sent_once_and_told_with_its_reason(
    served: ServedEngine, step: int | tuple[int, str, str], error: type[Exception], reason: str
) -> None:
    served.script = [step]
    with pytest.raises(error, match=reason) as raised:
        RemoteBackend(served.url).candidates(INFO, encoded_frames(1))
    assert "/secret/path" not in str(raised.value)
    assert len(served.received) == 1


@pytest.mark.parametrize(
    ("status", "retries", "reason"),
    [
        (503, transport.BUSY_RETRIES, "all its workers stayed busy"),
        (408, transport.RETRIES, "ran into the function's eventTimeout"),
    ],
)
def test_a_function_that_goes_on_failing_is_given_up_later_where_it_is_only_busy(
    served: ServedEngine, status: int, retries: int, reason: str
) -> None:
    served.script = [status] * 100
    with pytest.raises(BackendError, match=reason):
        RemoteBackend(served.url).candidates(INFO, encoded_frames(1))
    assert len(served.received) == retries + 1


def test_after_a_failure_no_further_frame_is_read(served: ServedEngine) -> None:
    served.script = [500] * 100
    frames = encoded_frames(160)
    with pytest.raises(BackendError, match="answered 500"):
        RemoteBackend(served.url, concurrency=1).candidates(INFO, frames)
    assert next(frames)[0] < 64


def test_a_function_that_is_silent_is_not_asked_again(served: ServedEngine) -> None:
    served.script = ["silence"] * 9
    with pytest.raises(BackendError, match=r"no answer in 0\.3 s"):
        RemoteBackend(served.url, timeout=0.3).candidates(INFO, encoded_frames(1))
    served.answered.set()
    assert len(served.received) == 1


def test_a_function_that_is_not_there_is_told_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        backend = RemoteBackend(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(BackendError, match=r"not reachable; check that it is deployed.*--backend local"):
            backend.describe()


def test_another_detector_than_expected_is_refused(served: ServedEngine) -> None:
    with pytest.raises(InputError, match="runs the detector blobs, not yolov4-tiny"):
        RemoteBackend(served.url, detector="yolov4-tiny").candidates(INFO, encoded_frames(1))


def test_candidates_below_the_least_score_are_left_out(served: ServedEngine, local: LocalBackend) -> None:
    everything = local.candidates(INFO, encoded_frames(20))
    chosen = RemoteBackend(served.url, detector="blobs", min_score=0.5).candidates(INFO, encoded_frames(20))
    assert 0 < len(chosen) < len(everything)
    assert_same(chosen, everything.take(everything.score >= 0.5))


def test_a_graph_that_is_too_large_is_refused_before_it_is_sent(
    served: ServedEngine, local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = local.candidates(INFO, encoded_frames(40))
    monkeypatch.setattr(remote, "MAX_GRAPH_BYTES", 1000)
    with pytest.raises(BackendError, match=r"graph of 80 candidates.*--backend local"):
        RemoteBackend(served.url).label(candidates, Constraints())
    assert served.received == []


def test_a_function_of_another_release_is_refused(served: ServedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = RemoteBackend(served.url)
    served.script = [(200, "application/json", '{"device": "cpu", "model": "x", "detector": "y", "version": 9}')]
    with pytest.raises(BackendError, match=f"reads version 9, this release writes version {storage.VERSION}"):
        backend.describe()


def test_candidates_that_are_known_beforehand_never_go_to_the_function(
    served: ServedEngine, local: LocalBackend
) -> None:
    backend = open_backend(served.url, detector="simulated", source=blob_source())
    candidates = backend.candidates(INFO, encoded_frames(20))
    assert served.received == []
    assert_same(candidates, local.candidates(INFO, encoded_frames(20)))
    assert_same(backend.label(candidates, Constraints()), local.label(candidates, Constraints()))
    assert (backend.describe().kind, backend.describe().detector) == ("remote", "blobs")


def test_a_file_of_detections_is_read_here_whatever_the_backend(served: ServedEngine, tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text("1,-1,5,5,10,20,0.9,-1,-1,-1\n2,-1,6,5,10,20,0.8,-1,-1,-1\n")
    found = open_backend(served.url, detector=f"file:{tmp_path / 'det.txt'}").candidates(INFO, encoded_frames(2))
    assert found.score.tolist() == [0.9, 0.8]
    assert served.received == []


@pytest.mark.parametrize(
    ("detector", "known"),
    [("file", True), ("file:det.txt", True), ("simulated", True), ("yolov4-tiny", False), ("onnx-yolox:file", False)],
)
def test_files_and_simulations_are_known_beforehand(detector: str, known: bool) -> None:
    assert is_precomputed(detector) is known


@pytest.mark.parametrize("spec", ["", "remote", "localhost:8080", "ftp://host"])
def test_a_backend_that_is_none_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match="http://host:port"):
        open_backend(spec)


def test_an_address_opens_the_remote_backend(served: ServedEngine) -> None:
    assert open_backend(f"{served.url}/", detector="blobs").describe().kind == "remote"
