"""Entropy without a hierarchy: whole images or single boxes (``EntImg`` and ``EntBox`` of the SPAM paper's Fig. 5)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spam_model.active.baselines.pool import QuestionPool
from spam_model.active.session import Session
from spam_model.values import LabelResult, Query


class ImageEntropy:
    """Annotates whole images: every box of a frame and the links out of it, the frames of highest mean entropy first.

    The mean, not the sum, is the entropy per click; both are used for images elsewhere.
    """

    name = "image-entropy"

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        pool = QuestionPool(result)
        asked = pool.open & pool.without_hierarchy()
        frames = result.candidates.info.frame_count
        total = np.bincount(pool.frame[asked], weights=pool.entropy[asked], minlength=frames)
        mean = total / np.maximum(np.bincount(pool.frame[asked], minlength=frames), 1)
        return pool.ranked(np.where(asked, mean[pool.frame], 0.0))


class BoxEntropy:
    """Single boxes by their own entropy, and the links from each to its next occurrence by theirs, in one order.

    The next occurrence is asked at the lowest level at which the box has a link: a clip of two frames ends with every
    second frame, so not every box has one at level 1.
    """

    name = "box-entropy"

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        pool = QuestionPool(result)
        return pool.ranked(np.where(pool.without_hierarchy(), pool.entropy, 0.0))
