"""Candidates that were found once: given again as they were, never half written, never too many."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from spam_model import storage
from spam_model.detectors import cache
from spam_model.detectors.cache import CandidateCache
from spam_model.values import Candidates, ClipInfo
from tests.spam_model.detectors.shared import assert_same

INFO = ClipInfo("walk", 200, 25, 640, 360)


def some(first: int, stop: int, seed: int = 0) -> Candidates:
    rng = np.random.default_rng(seed)
    frame = np.sort(rng.integers(first, stop, 30))
    corner = rng.uniform(0, 300, (30, 2))
    box = np.concatenate([corner, corner + 20], axis=1)
    return Candidates.build(INFO, frame, box, rng.random(30), embedding=rng.random((30, 4)).astype(np.float32))


def test_what_was_put_is_got_by_another_run(tmp_path: Path) -> None:
    first = CandidateCache("a1", tmp_path)
    path = np.cumsum(np.ones((200, 2)), axis=0)
    first.info, first.camera = INFO, path
    first.put(0, 64, some(0, 64))
    again = CandidateCache("a1", tmp_path)
    found = again.get(0, 64)
    assert found is not None
    assert_same(found, some(0, 64))
    assert again.info == INFO
    assert np.array_equal(again.camera, path)
    assert again.frames_kept() == 64


@pytest.mark.parametrize(("digest", "first", "stop"), [("b2", 0, 64), ("a1", 64, 128), ("a1", 0, 32)])
def test_what_was_not_put_is_not_got(tmp_path: Path, digest: str, first: int, stop: int) -> None:
    CandidateCache("a1", tmp_path).put(0, 64, some(0, 64))
    other = CandidateCache(digest, tmp_path)
    assert other.get(first, stop) is None
    assert other.info is None
    assert other.camera is None


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_a_damaged_file_is_none(tmp_path: Path, keep: int, caplog: pytest.LogCaptureFixture) -> None:
    kept = CandidateCache("a1", tmp_path)
    kept.put(0, 64, some(0, 64))
    kept.info, kept.camera = INFO, np.zeros((200, 2))
    for path in (tmp_path / "a1").iterdir():
        path.write_bytes(path.read_bytes()[: keep if path.suffix == ".safetensors" else 5])
    assert (kept.get(0, 64), kept.info) == (None, None)
    assert kept.camera is None or keep == 500  # which is the whole of it, or not
    assert "is damaged and not used" in caplog.text


def test_a_full_disk_is_said_once_and_leaves_nothing_half_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = CandidateCache("a1", tmp_path)
    kept.put(0, 64, some(0, 64))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(storage.os, "fsync", full)
    with caplog.at_level(logging.WARNING):
        kept.put(64, 128, some(64, 128))
        kept.put(128, 200, some(128, 200))
    assert caplog.text.count("No space left on device; going on without the cache") == 1
    assert [path.name for path in (tmp_path / "a1").iterdir()] == ["00000000-00000064.safetensors"]
    assert kept.get(0, 64) is not None


def test_the_longest_unused_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in enumerate(("new", "middle", "old")):
        CandidateCache(name, tmp_path).put(0, 64, some(0, 64))
        os.utime(tmp_path / name, (10_000 - age, 10_000 - age))
    size = (tmp_path / "old" / "00000000-00000064.safetensors").stat().st_size
    monkeypatch.setattr(cache, "MAX_BYTES", int(2.5 * size))
    CandidateCache("another", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["middle", "new"]
    monkeypatch.setattr(cache, "MAX_BYTES", 0)
    CandidateCache("middle", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["middle"], "what is used now stays"
