"""The same clip seen otherwise: a window of it, candidates withheld, at another pace or backwards. Ids stay.

Self-training learns from clips with gaps, and is judged by clips at another pace: two kinds, kept apart, since a
student gets better at what it practises whether or not its labels get better. What was seen in the pixels between
frames (motion, camera) is left out, since frames have other numbers here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from spam_model.values import Candidates, ClipInfo
from spam_model.values.candidates import BoolArray

SLOWEST = 5.0  # frames/s, below which no frames are left out
STRIDES = (1, 2, 3)
MOST_WITHHELD = 0.3  # of all candidates, at random
MOST_PILLARS = 3
PILLAR_WIDTH = (0.5, 2.0)  # in widths of the median box


def with_gaps(candidates: Candidates, rng: np.random.Generator) -> Candidates:
    """Withholds up to 30 % of the candidates, and those behind up to three made-up pillars: gaps to be bridged."""
    shown = rng.random(len(candidates)) >= rng.uniform(0, MOST_WITHHELD)
    for _ in range(rng.integers(MOST_PILLARS + 1)):
        shown &= ~behind_pillar(candidates, rng)
    return candidates.take(shown)


@dataclass(frozen=True)
class Pace:
    """Every ``stride``-th frame from ``offset`` on, as a slower camera would see it, or the last frame first."""

    stride: int
    offset: int
    backwards: bool

    def of(self, candidates: Candidates) -> Candidates:
        info = candidates.info
        part = candidates.take(candidates.frame % self.stride == self.offset)
        slow = replace(
            part,
            info=replace(
                info,
                frame_count=-(-(info.frame_count - self.offset) // self.stride),
                frame_rate=info.frame_rate / self.stride,
            ),
            frame=part.frame // self.stride,
            motion=None,
            camera=None,
        )
        return backwards(slow) if self.backwards else slow


def other_paces(info: ClipInfo) -> Iterator[Pace]:
    """All but the clip as it is; at least 5 frames/s stay, and one frame."""
    for stride in STRIDES:
        if stride == 1 or info.frame_rate / stride >= SLOWEST:
            for offset in range(min(stride, info.frame_count)):
                yield from (Pace(stride, offset, back) for back in (False, True) if stride > 1 or back)


def window(candidates: Candidates, first: int, length: int) -> Candidates:
    """``length`` frames from ``first`` on, that frame being 0."""
    begin, end = np.searchsorted(candidates.frame, [first, first + length])
    part = candidates.take(np.arange(begin, end))
    info = replace(part.info, frame_count=length)
    return replace(part, info=info, frame=part.frame - first, motion=None, camera=None)


def backwards(candidates: Candidates) -> Candidates:
    """The last frame first."""
    return Candidates.build(
        candidates.info,
        candidates.info.frame_count - 1 - candidates.frame,
        candidates.box,
        candidates.score,
        class_id=candidates.class_id,
        embedding=candidates.embedding,
        source=candidates.source,
        id=candidates.id,
    )


def behind_pillar(candidates: Candidates, rng: np.random.Generator) -> BoolArray:
    """Candidates whose middle lies in a random upright stripe of the image. [N]."""
    if len(candidates) == 0:
        return np.zeros(0, bool)
    width = np.median(candidates.box[:, 2] - candidates.box[:, 0]) * rng.uniform(*PILLAR_WIDTH)
    middle = candidates.box[:, [0, 2]].mean(axis=1)
    return np.asarray(np.abs(middle - rng.uniform(0, candidates.info.width)) < width / 2)
