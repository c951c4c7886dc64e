"""A clip through a source, chunk by chunk: whatever was kept before, the candidates are the same."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.data.clip import Image
from spam_model.detectors.base import candidate_ids
from spam_model.detectors.cache import CandidateCache
from spam_model.detectors.detect_clip import CHUNK, detect_clip
from spam_model.values import Candidates, ClipInfo
from tests.spam_model.detectors.shared import assert_same


class GreyFrames:
    """Frames whose grey is their number; counts those that are decoded."""

    def __init__(self, count: int, width: int = 32, height: int = 16) -> None:
        self.info = ClipInfo("grey", count, 10, width, height)
        self.decoded = 0

    def frame(self, index: int) -> Image:
        self.decoded += 1
        return np.full((self.info.height, self.info.width, 3), index % 251, np.uint8)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Image]]:
        for index in range(start, self.info.frame_count if stop is None else stop):
            yield index, self.frame(index)


class GreySource:
    """One box a frame, whose score is the grey of the frame; may be killed in the middle."""

    name, appearance, device = "grey", "none", "cpu"

    def __init__(self, dies_at: int | None = None) -> None:
        self.seen: list[int] = []
        self._dies_at = dies_at

    def detect_frames(self, images: Sequence[Image], frames: Sequence[int], info: ClipInfo) -> Candidates:
        if self._dies_at in frames:
            raise KeyboardInterrupt
        self.seen += frames
        frame = np.asarray(frames)
        score = np.array([image[0, 0, 0] / 255 for image in images])
        return Candidates.build(info, frame, np.tile([1.0, 1, 5, 9], (len(frame), 1)), score, id=candidate_ids(frame))


@settings(deadline=None, max_examples=25)
@given(count=st.integers(1, 3 * CHUNK), batch=st.integers(1, 20))
def test_every_frame_is_seen_once_with_its_own_picture(count: int, batch: int) -> None:
    source = GreySource()
    candidates = detect_clip(source, GreyFrames(count), batch=batch)
    assert source.seen == list(range(count))
    assert candidates.frame.tolist() == list(range(count))
    assert np.array_equal(candidates.score, candidates.frame % 251 / 255)


@pytest.mark.parametrize("dies_at", [0, 63, 64, 150, 199])
def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, dies_at: int) -> None:
    whole = detect_clip(GreySource(), GreyFrames(200))
    with pytest.raises(KeyboardInterrupt):
        detect_clip(GreySource(dies_at), GreyFrames(200), store=CandidateCache("k", tmp_path))
    again, clip = GreySource(), GreyFrames(200)
    told: list[int] = []
    store = CandidateCache("k", tmp_path)
    assert_same(detect_clip(again, clip, progress=told.append, store=store), whole)
    assert again.seen == list(range(dies_at // CHUNK * CHUNK, 200))
    assert clip.decoded == sum(told) == len(again.seen)


def test_a_repeat_looks_at_nothing_and_what_was_damaged_is_found_anew(tmp_path: Path) -> None:
    store = CandidateCache("k", tmp_path)
    first = detect_clip(GreySource(), GreyFrames(200), store=store)
    source, clip = GreySource(), GreyFrames(200)
    assert_same(detect_clip(source, clip, store=store), first)
    assert (source.seen, clip.decoded) == ([], 0)
    sorted((tmp_path / "k").iterdir())[1].write_bytes(b"")
    assert_same(detect_clip(source, clip, store=store), first)
    assert source.seen == list(range(64, 128))


def test_a_long_clip_is_never_whole_in_memory() -> None:
    clip = GreyFrames(300, 640, 480)  # 264 MiB in all
    tracemalloc.start()
    detect_clip(GreySource(), clip, batch=4)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 30 * 2**20
