"""Frames are cut into requests that a function accepts."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvat_bridge.backend.batches import MAX_BYTES, MAX_FRAMES, batches
from spam_model.errors import InputError
from spam_model.values import ClipInfo
from spam_model.wire import CandidatesRequest, request_to_bytes

LIMIT = 64 * 2**10 + 100  # leaves 100 bytes for images


@given(st.lists(st.binary(max_size=100), max_size=60), st.integers(1, 7))
def test_every_frame_is_in_one_batch_in_order_and_batches_are_within_the_limits(
    images: list[bytes], max_frames: int
) -> None:
    frames = list(enumerate(images))
    cut = list(batches(frames, max_frames, LIMIT))
    assert [frame for batch in cut for frame in batch] == frames
    assert all(1 <= len(batch) <= max_frames and sum(len(image) for _, image in batch) <= 100 for batch in cut)
    for batch, following in pairwise(cut):  # no batch could have taken one frame more
        assert len(batch) == max_frames or sum(len(image) for _, image in [*batch, following[0]]) > 100


def test_a_stream_is_read_no_further_than_one_frame_ahead() -> None:
    read = []

    def stream() -> Iterator[tuple[int, bytes]]:
        for number in range(1000):
            read.append(number)
            yield number, b"x"

    next(batches(stream()))
    assert len(read) == MAX_FRAMES + 1


def test_a_full_batch_makes_a_body_below_the_limit() -> None:
    image = bytes((MAX_BYTES - 64 * 2**10) // MAX_FRAMES)
    batch = next(batches((number, image) for number in range(MAX_FRAMES + 1)))
    assert len(batch) == MAX_FRAMES
    info = ClipInfo("ü" * 1000, 10**6, 25.0, 1920, 1080, tuple(f"class {i}" for i in range(80)))
    numbers, images = zip(*batch, strict=True)
    assert len(request_to_bytes(CandidatesRequest(info, numbers, images))) < MAX_BYTES


def test_a_frame_that_fits_no_request_is_refused_by_number() -> None:
    frames = [(0, b"x"), (7, bytes(101))]
    with pytest.raises(InputError, match="frame 7 has"):
        list(batches(frames, max_bytes=LIMIT))
