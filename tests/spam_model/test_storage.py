"""What is written is read back; what is not ours is refused with a reason."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model import storage
from spam_model.errors import FormatError, InputError
from spam_model.values import (
    Anchor,
    Candidates,
    ClipInfo,
    Constraint,
    ConstraintKind,
    Constraints,
    Hierarchy,
    Level,
    MotionEvidence,
    Query,
    QueryKind,
)

INFO = ClipInfo("clip", frame_count=10, frame_rate=7.0, width=64, height=48, class_names=("person", "car"))


def some_candidates() -> Candidates:
    box = np.array([[1.5, 2, 10, 20], [3, 4, 9, 30], [0, 0, 5, 5]])
    return Candidates.build(
        INFO,
        np.array([4, 2, 2]),
        box,
        np.array([0.9, 0.5, 0.2]),
        class_id=np.array([0, 1, 0]),
        embedding=np.eye(3, dtype=np.float32),
        id=np.array([7, 5, 6]),
    )


def equal(a: object, b: object, names: tuple[str, ...]) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def test_candidates_come_back_as_written(tmp_path: Path) -> None:
    written = some_candidates()
    storage.write_candidates(tmp_path / "deep" / "c.safetensors", written)
    read = storage.read_candidates(tmp_path / "deep" / "c.safetensors")
    assert read.info == INFO
    assert equal(read, written, ("frame", "box", "score", "class_id", "embedding", "source", "id"))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["c.safetensors"]


def test_what_was_seen_in_the_pixels_comes_back_too(tmp_path: Path) -> None:
    motion = MotionEvidence.build(
        np.array([7, 5]), np.array([3, 4]), np.ones((2, 4)) * [0, 0, 5, 5], np.array([0.3, 1])
    )
    written = replace(some_candidates(), motion=motion, camera=np.arange(2.0 * INFO.frame_count).reshape(-1, 2))
    storage.write_candidates(tmp_path / "c.safetensors", written)
    read = storage.read_candidates(tmp_path / "c.safetensors")
    assert read.motion is not None
    assert equal(read.motion, motion, ("id", "frame", "box", "visibility"))
    assert np.array_equal(read.camera, written.camera)


def test_a_hierarchy_comes_back_as_written() -> None:
    level = Level(
        index=1,
        clip_length=2,
        node_of=np.array([0, -1, 1]),
        edge=np.array([[0], [1]]),
        probability=np.array([0.3]),
        chosen=np.array([False]),
    )
    written = Hierarchy(np.array([0.9, 0.1, 0.8]), np.array([True, False, True]), (level,), np.array([0, -1, 1]))
    read = storage.hierarchy_from_bytes(storage.hierarchy_to_bytes(written))
    assert equal(read, written, ("node_probability", "kept", "track_of"))
    assert (read.levels[0].index, read.levels[0].clip_length) == (1, 2)
    assert equal(read.levels[0], level, ("node_of", "edge", "probability", "chosen"))


coordinate = st.floats(-1e4, 1e4, allow_nan=False)
anchors = st.builds(
    Anchor,
    st.integers(0, 2**40),
    st.integers(0, 9999),
    st.tuples(coordinate, coordinate, coordinate, coordinate),
    st.integers(0, 3),
)


@given(st.lists(st.tuples(anchors, anchors), max_size=4))
def test_constraints_and_queries_come_back_as_written(pairs: list[tuple[Anchor, Anchor]]) -> None:
    constraints = Constraints(tuple(Constraint(ConstraintKind.MUST_LINK, a, b, query_id="q") for a, b in pairs))
    assert storage.constraints_from_bytes(storage.constraints_to_bytes(constraints)) == constraints
    queries = tuple(Query(QueryKind.ASSOCIATION, 3, (a,), ((b,),), uncertainty=0.5) for a, b in pairs)
    read = storage.queries_from_bytes(storage.queries_to_bytes(queries))
    assert read == queries
    assert [query.id for query in read] == [query.id for query in queries]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unreadable as safetensors"),
        (b"\xff" * 100, "unreadable as safetensors"),
        (storage.pack("labels", {}, {}), "expected a candidates file"),
        (storage.pack("candidates", {}, {"info": "{}"}), "info"),
        (storage.candidates_to_bytes(some_candidates())[:-5], "unreadable as safetensors"),
    ],
)
def test_other_bytes_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        storage.candidates_from_bytes(data)


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"cvat-spam": "queries", "version": 2}'])
def test_a_broken_constraints_file_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="constraints"):
        storage.constraints_from_bytes(data)


@pytest.mark.parametrize("version", [1, 99])
def test_another_version_is_refused(version: int) -> None:
    document = json.loads(storage.constraints_to_bytes(Constraints()))
    document["version"] = version
    with pytest.raises(FormatError, match=f"version {storage.VERSION}"):
        storage.constraints_from_bytes(json.dumps(document).encode())


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.safetensors"):
        storage.read_candidates(tmp_path / "nothing.safetensors")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    storage.write_atomically(path, b"old")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(InputError, match="No space left"):
        storage.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
