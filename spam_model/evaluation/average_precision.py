"""Average precision of detections, as COCO defines it (Lin et al., "Microsoft COCO", 2014) at one IoU.

Per image, detections take ground truth greedily, best score first, each the free box of its class with the highest IoU
of at least 0.5. Real objects go before ignored ones; what takes an ignored box (a distractor) is neither a hit nor a
false alarm. Ignored boxes of class −1 (vehicles, occluders) take no part: a detection there is a false alarm, as in
``preprocessing``. Over all images together precision is made monotone and averaged at the recalls 0, 0.01 … 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spam_model.geometry import iou_matrix
from spam_model.values import Candidates, GroundTruth
from spam_model.values.candidates import BoolArray, FloatArray

MATCH_IOU = 0.5
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class MatchedDetections:
    """Detections of one class over any number of images, those on ignored boxes left out.

    Attributes:
        score: [K] float64.
        hit: [K] bool, whether it took a real object.
        truth_count: how many real objects there are.
    """

    score: FloatArray
    hit: BoolArray
    truth_count: int

    @classmethod
    def join(cls, parts: Sequence[MatchedDetections]) -> MatchedDetections:
        """Those of several images or sequences, as one."""
        return cls(
            np.concatenate([np.zeros(0), *(part.score for part in parts)]),
            np.concatenate([np.zeros(0, np.bool_), *(part.hit for part in parts)]),
            sum(part.truth_count for part in parts),
        )

    def average_precision(self) -> float:
        """In 0 … 1; nan where there is no object to find."""
        if self.truth_count == 0:
            return float("nan")
        hits = np.cumsum(self.hit[np.argsort(-self.score, kind="stable")])  # [K]
        precision = hits / np.arange(1, len(hits) + 1)
        best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
        place = np.searchsorted(hits / self.truth_count, RECALLS)
        return float(np.append(best_from_here, 0.0)[place].mean())

    def recall(self, min_score: float = 0.0) -> float:
        """Share of the objects found at scores of at least ``min_score``; nan where there is none."""
        if self.truth_count == 0:
            return float("nan")
        return int(self.hit[self.score >= min_score].sum()) / self.truth_count


def match_image(
    box: FloatArray,
    score: FloatArray,
    truth_box: FloatArray,
    truth_ignored: BoolArray,
    min_iou: float = MATCH_IOU,
) -> MatchedDetections:
    """One image, one class: box [n, 4] and truth_box [m, 4] x1 y1 x2 y2 in px, score [n], truth_ignored [m]."""
    order = np.argsort(-score, kind="stable")
    overlap = iou_matrix(box[order], truth_box)  # [n, m]
    overlap[overlap < min_iou] = 0
    overlap[:, ~truth_ignored] += overlap[:, ~truth_ignored] > 0  # real objects before ignored ones
    hit = np.zeros(len(order), np.bool_)
    counted = np.ones(len(order), np.bool_)
    for rank in np.flatnonzero(overlap.any(axis=1)):
        taken = int(overlap[rank].argmax())
        if overlap[rank, taken] > 0:
            hit[rank], counted[rank] = not truth_ignored[taken], not truth_ignored[taken]
            overlap[:, taken] = 0
    return MatchedDetections(score[order][counted], hit[counted], int((~truth_ignored).sum()))


def match_sequence(candidates: Candidates, truth: GroundTruth, min_iou: float = MATCH_IOU) -> list[MatchedDetections]:
    """Of each class of the sequence, over the frames that ``candidates.info`` counts."""
    frames = candidates.info.frame_count
    truth_order = np.argsort(truth.frame, kind="stable")
    truth_start = np.searchsorted(truth.frame[truth_order], np.arange(frames + 1))
    start = np.searchsorted(candidates.frame, np.arange(frames + 1))
    parts: list[list[MatchedDetections]] = [[] for _ in candidates.info.class_names]
    for frame in range(frames):
        mine = np.arange(start[frame], start[frame + 1])
        theirs = truth_order[truth_start[frame] : truth_start[frame + 1]]
        for number, part in enumerate(parts):
            rows, real = mine[candidates.class_id[mine] == number], theirs[truth.class_id[theirs] == number]
            part.append(
                match_image(candidates.box[rows], candidates.score[rows], truth.box[real], truth.ignored[real], min_iou)
            )
    return [MatchedDetections.join(part) for part in parts]


@dataclass(frozen=True)
class DetectionQuality:
    """AP and recall of one or several sequences, the mean over the classes of which there are objects."""

    average_precision: float
    recall: float


def detection_quality(
    sequences: Iterable[tuple[Candidates, GroundTruth]], *, min_score: float = 0.1, min_iou: float = MATCH_IOU
) -> DetectionQuality:
    """Quality over all sequences together, which have the same classes.

    Args:
        sequences: candidates as over-complete as they come, and their truth.
        min_score: where ``recall`` is taken; average precision uses all candidates that are given.
        min_iou: at which a box is found.
    """
    by_class = zip(*(match_sequence(candidates, truth, min_iou) for candidates, truth in sequences), strict=True)
    joined = [MatchedDetections.join(parts) for parts in by_class]
    known = [matched for matched in joined if matched.truth_count]
    if not known:
        return DetectionQuality(float("nan"), float("nan"))
    return DetectionQuality(
        float(np.mean([matched.average_precision() for matched in known])),
        float(np.mean([matched.recall(min_score) for matched in known])),
    )
