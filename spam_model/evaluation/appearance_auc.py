"""How well embeddings tell same from different objects: the AUC over pairs of ground-truth crops across time gaps.

Protocol. The crops are the real boxes of the truth (no distractors) that are at least half visible and at least half in
the image, of evenly spaced frames, at most about ``MAX_CROPS`` of them. The pairs are all pairs of crops of one class
that lie at least a gap of so many seconds apart; the same pairs show one identity, the different ones two. The AUC is
the probability that a same pair is more similar (cosine) than a different pair, ties counting half. Nobody chooses
pairs, so long tracks weigh more than short ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from spam_model import geometry
from spam_model.data.clip import FrameSource
from spam_model.detectors.base import Appearance
from spam_model.values import GroundTruth
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

MAX_CROPS = 1500
MIN_VISIBILITY = 0.5


@dataclass(frozen=True)
class TruthCrops:
    """Rows of the truth, sorted by frame.

    Attributes:
        frame: [K] int64.
        box: [K, 4] x1 y1 x2 y2 in px.
        track: [K] int64.
        class_id: [K] int64.
    """

    frame: IntArray
    box: FloatArray
    track: IntArray
    class_id: IntArray

    def __len__(self) -> int:
        return len(self.frame)

    def by_frame(self) -> Iterator[tuple[int, slice]]:
        """Each frame with its rows."""
        frames, starts = np.unique(self.frame, return_index=True)
        for frame, start, stop in zip(frames.tolist(), starts, [*starts[1:], len(self)], strict=True):
            yield frame, slice(int(start), int(stop))


@dataclass(frozen=True)
class PairCounts:
    """``same`` and ``different`` pairs, and the area under the curve; nan where one kind is missing."""

    auc: float
    same: int
    different: int


def choose_crops(truth: GroundTruth, frame_count: int, max_crops: int = MAX_CROPS) -> TruthCrops:
    """The crops of the protocol, of frames 0 … frame_count - 1 whose pixels there are."""
    width, height = truth.info.width, truth.info.height
    inside = geometry.area(geometry.clip_to_image(truth.box, width, height)) >= geometry.area(truth.box) / 2
    fit = ~truth.ignored & (truth.visibility >= MIN_VISIBILITY) & inside & (truth.frame < frame_count)
    frames = np.unique(truth.frame[fit])
    step = max(1, -(-int(fit.sum()) // max_crops))
    rows = np.flatnonzero(fit & np.isin(truth.frame, frames[::step]))
    rows = rows[np.lexsort((truth.track[rows], truth.frame[rows]))]
    return TruthCrops(truth.frame[rows], truth.box[rows], truth.track[rows], truth.class_id[rows])


def embed_crops(crops: TruthCrops, clip: FrameSource, appearance: Appearance) -> FloatArray:
    """[K, D] float32."""
    embedding = np.zeros((len(crops), appearance.dimension), np.float32)
    for frame, rows in crops.by_frame():
        embedding[rows] = appearance.embed(clip.frame(frame), crops.box[rows])
    return embedding


def pair_auc(crops: TruthCrops, embedding: FloatArray, frame_rate: float, min_gap: float) -> PairCounts:
    """The figure of the protocol for pairs at least ``min_gap`` seconds apart (never of one frame)."""
    first, second = np.triu_indices(len(crops), 1)
    apart = np.abs(crops.frame[first] - crops.frame[second])
    counts = (apart > 0) & (apart >= min_gap * frame_rate) & (crops.class_id[first] == crops.class_id[second])
    first, second = first[counts], second[counts]
    similarity = (embedding @ embedding.T)[first, second]
    return area_under_curve(similarity, crops.track[first] == crops.track[second])


def area_under_curve(similarity: FloatArray, same: BoolArray) -> PairCounts:
    """Mann and Whitney's U over its largest value: similarity [P], same [P]."""
    positive, negative = int(same.sum()), int((~same).sum())
    if positive == 0 or negative == 0:
        return PairCounts(float("nan"), positive, negative)
    rank = float(rankdata(similarity)[same].sum())
    return PairCounts((rank - positive * (positive + 1) / 2) / (positive * negative), positive, negative)
