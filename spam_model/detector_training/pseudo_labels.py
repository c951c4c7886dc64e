"""Our own labels of a clip, and what people said of them, as images with boxes (SPAM, Sec. 3.4: retrain on them).

What the tracks say beyond the detector is what is learnt: boxes of low score that lie on a track are objects, boxes of
good score that lie on none are background, gaps are filled. What keeps this from going in a circle: little weight for
what is uncertain, none where a question is open, and people's answers at full weight.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from spam_model.detector_training.samples import Boxes
from spam_model.geometry import iou_matrix
from spam_model.values import Candidates, ConstraintKind, Constraints, Labels, Query, QueryKind
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

PSEUDO_WEIGHT = 0.5  # of a box of a track, beside 1 for one that a person spoke of
FILLED_WEIGHT = 0.25  # where a gap was filled; the detector saw nothing there, perhaps for a reason
DOUBTFUL = 0.3  # probability that the answer to a question about a box changes the labels; from here on it is open
UNTRACKED_SCORE = 0.4  # a candidate on no track is background below, and open from here on
SAME_BOX = 0.5  # IoU
SAME_REJECTED = 0.8  # IoU; what a person rejected may be the worse of two boxes around one object


@dataclass
class _Said:
    """Of one frame: people's boxes with their classes, and the boxes that they rejected."""

    accepted: list[FloatArray] = field(default_factory=list)
    class_id: list[int] = field(default_factory=list)
    rejected: list[FloatArray] = field(default_factory=list)


def pseudo_boxes(
    labels: Labels,
    constraints: Constraints,
    frames: IntArray,
    candidates: Candidates | None = None,
    queries: Sequence[Query] = (),
) -> list[Boxes]:
    """What is known of each of ``frames`` [F].

    Boxes of tracks are objects of weight ``PSEUDO_WEIGHT``, less what their uncertainty takes away. Ignored are boxes
    of open questions, and candidates of good score that lie on no track. A box that a person accepted, drew, corrected
    or linked is an object of weight 1; one that a person rejected is a hard negative; one of which both is said is
    ignored.

    Args:
        labels: of the clip; a box of score 0 is a filled gap, as in files of rows.
        candidates: that the labels were made of, where they are at hand.
        queries: what was still to be asked of these labels.
    """
    said = _said(constraints)
    doubtful = _doubtful(queries, constraints)
    order = np.argsort(labels.frame, kind="stable")
    start = np.searchsorted(labels.frame[order], frames, side="left")
    end = np.searchsorted(labels.frame[order], frames, side="right")
    result = []
    for frame, rows in zip(frames.tolist(), (order[a:b] for a, b in zip(start, end, strict=True)), strict=True):
        untracked = _untracked(candidates, frame, labels.box[rows])
        open_box = np.concatenate([untracked, *doubtful.get(frame, [])])
        result.append(_frame_boxes(labels, rows, said.get(frame, _Said()), open_box))
    return result


def _frame_boxes(labels: Labels, rows: IntArray, said: _Said, open_box: FloatArray) -> Boxes:
    accepted = np.array(said.accepted).reshape(-1, 4)
    rejected = np.array(said.rejected).reshape(-1, 4)
    disputed = _overlaps(accepted, rejected, SAME_REJECTED)
    accepted_class = np.array(said.class_id, np.int64)
    open_box = np.concatenate([open_box, accepted[disputed]])
    rejected = rejected[~_overlaps(rejected, accepted, SAME_REJECTED)]
    accepted, accepted_class = accepted[~disputed], accepted_class[~disputed]

    box = labels.box[rows]
    certainty = 1 - labels.uncertainty[rows] / np.log(2)
    weight = np.where(labels.score[rows] > 0, PSEUDO_WEIGHT, FILLED_WEIGHT) * certainty
    replaced = _overlaps(box, accepted) | _overlaps(box, rejected, SAME_REJECTED)
    unsure = _overlaps(box, open_box) & ~replaced
    stays = ~replaced & ~unsure
    free = ~_overlaps(open_box, accepted) & ~_overlaps(open_box, rejected, SAME_REJECTED)
    return Boxes.build(
        np.concatenate([accepted, box[stays]]),
        class_id=np.concatenate([accepted_class, labels.class_id[rows][stays]]),
        weight=np.concatenate([np.ones(len(accepted)), weight[stays]]),
        ignore=np.concatenate([open_box[free], box[unsure]]),
        rejected=rejected,
    )


def _said(constraints: Constraints) -> dict[int, _Said]:
    """By frame."""
    said: dict[int, _Said] = defaultdict(_Said)
    for item in constraints.items:
        if item.kind is ConstraintKind.REJECT:
            said[item.first.frame].rejected.append(np.array(item.first.box))
        elif item.kind in (ConstraintKind.ACCEPT, ConstraintKind.MUST_LINK, ConstraintKind.BOX):
            for anchor in (item.first, item.second):
                if anchor is not None:
                    said[anchor.frame].accepted.append(np.array(item.box or anchor.box))
                    said[anchor.frame].class_id.append(anchor.class_id)
    for frame in said.values():
        _drop_repeated(frame)
    return said


def _drop_repeated(said: _Said) -> None:
    """One box was perhaps accepted, linked and corrected: the last is the best."""
    box = np.array(said.accepted).reshape(-1, 4)
    last = np.flatnonzero(~np.triu(iou_matrix(box, box) >= SAME_BOX, k=1).any(axis=1))
    said.accepted = [said.accepted[row] for row in last]
    said.class_id = [said.class_id[row] for row in last]


def _doubtful(queries: Sequence[Query], constraints: Constraints) -> dict[int, list[FloatArray]]:
    """Boxes of open questions of whether something is an object, by frame, each [1, 4]."""
    answered = {item.query_id for item in constraints.items}
    boxes: dict[int, list[FloatArray]] = defaultdict(list)
    for query in queries:
        is_object = query.kind is QueryKind.DETECTION  # the others ask who it is, or how exactly a box fits
        if is_object and query.error_probability >= DOUBTFUL and query.id not in answered:
            for anchor in query.subject:
                boxes[anchor.frame].append(np.array([anchor.box]))
    return boxes


def _untracked(candidates: Candidates | None, frame: int, tracked: FloatArray) -> FloatArray:
    """Candidates of good score in a frame that lie on no track. [K, 4]."""
    if candidates is None:
        return np.zeros((0, 4))
    begin, end = np.searchsorted(candidates.frame, [frame, frame + 1])
    box = candidates.box[begin:end][candidates.score[begin:end] >= UNTRACKED_SCORE]
    return np.asarray(box[~_overlaps(box, tracked)])


def _overlaps(box: FloatArray, other: FloatArray, min_iou: float = SAME_BOX) -> BoolArray:
    """Which of ``box`` [N, 4] is the same as one of ``other`` [M, 4]. [N]."""
    return np.asarray((iou_matrix(box, other) >= min_iou).any(axis=1))
