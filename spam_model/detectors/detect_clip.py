"""A whole clip through a candidate source, in chunks that may be kept and taken up again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from spam_model.data.clip import FrameSource, Image
from spam_model.data.prefetch import prefetched
from spam_model.detectors.base import CandidateSource, Progress, join_candidates
from spam_model.values import Candidates

CHUNK = 64  # frames that are kept together
_FRAME_BYTES = 512 * 2**20  # of frames that a source gets at a time, and of those decoded ahead


class ChunkStore(Protocol):
    """Keeps the candidates of frames first … stop - 1."""

    def get(self, first: int, stop: int) -> Candidates | None: ...

    def put(self, first: int, stop: int, candidates: Candidates) -> None: ...


def detect_clip(
    source: CandidateSource,
    clip: FrameSource,
    *,
    batch: int = 8,
    progress: Progress | None = None,
    store: ChunkStore | None = None,
) -> Candidates:
    """All candidates of a clip.

    Frames are decoded in a thread, a batch or two ahead; no more than these are in memory.

    Args:
        source: asked for the frames of each chunk that ``store`` does not have.
        clip: nobody else may use it meanwhile.
        batch: frames that the source gets at a time, fewer where they are very large.
        progress: told of every batch that is detected.
        store: keeps every chunk as soon as it is done.
    """
    count = clip.info.frame_count
    parts: dict[int, Candidates] = {}
    missing = []
    for first in range(0, count, CHUNK):
        known = store.get(first, min(first + CHUNK, count)) if store is not None else None
        if known is None:
            missing.append(first)
        else:
            parts[first] = known
    frames = (frame for first in missing for frame in clip.frames(first, min(first + CHUNK, count)))
    batch = max(1, min(batch, _FRAME_BYTES // (3 * clip.info.width * clip.info.height)))
    with prefetched(frames, batch) as decoded:
        for first in missing:
            stop = min(first + CHUNK, count)
            found = []
            for numbers, images in _batches(decoded, stop - first, batch):
                found.append(source.detect_frames(images, numbers, clip.info))
                if progress is not None:
                    progress(len(numbers))
            parts[first] = join_candidates(found)
            if store is not None:
                store.put(first, stop, parts[first])
    return join_candidates([parts[first] for first in sorted(parts)])


def _batches(
    frames: Iterator[tuple[int, Image]], count: int, batch: int
) -> Iterator[tuple[Sequence[int], Sequence[Image]]]:
    """The next ``count`` frames, ``batch`` at a time."""
    for first in range(0, count, batch):
        numbers, images = zip(*(next(frames) for _ in range(min(batch, count - first))), strict=True)
        yield numbers, images
