"""Cuts a stream of encoded frames into requests of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cvat_bridge.backend.protocol import EncodedFrame
from spam_model.errors import InputError

MAX_FRAMES = 16
MAX_BYTES = 24 * 2**20  # of one request body, with some room below Nuclio's 32 MiB

_HEADER_BYTES = 64 * 2**10  # more than the request's own fields take


def batches(
    frames: Iterable[EncodedFrame], max_frames: int = MAX_FRAMES, max_bytes: int = MAX_BYTES
) -> Iterator[list[EncodedFrame]]:
    """Consecutive frames, as many as fit. Holds one batch and one frame at a time.

    Raises:
        InputError: a single frame is too large.
    """
    room = max_bytes - _HEADER_BYTES
    batch: list[EncodedFrame] = []
    size = 0
    for number, image in frames:
        if len(image) > room:
            raise InputError(
                f"frame {number} has {len(image) / 2**20:.1f} MiB, more than the {max_bytes / 2**20:g} MiB of one "
                "request; use --backend local, or scale the frames down"
            )
        if len(batch) == max_frames or size + len(image) > room:
            yield batch
            batch, size = [], 0
        batch.append((number, image))
        size += len(image)
    if batch:
        yield batch
