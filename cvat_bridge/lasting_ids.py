"""Ids that last when candidates are made anew: what was asked, answered and numbered keeps its meaning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from spam_model.active.session import Session
from spam_model.geometry import iou_matrix
from spam_model.graph.constraints import SAME_BOX_IOU
from spam_model.values import Candidates
from spam_model.values.candidates import IntArray


def with_lasting_ids(new: Candidates, old: Candidates, named: Iterable[int] = ()) -> Candidates:
    """``new`` under the ids of the ``old`` candidates that show the same.

    A pair is of one frame and one class, with an IoU of ``SAME_BOX_IOU`` or more; in each frame the pairs with the
    highest sum of IoUs. The others get ids that were never used.

    Args:
        named: ids that stand for something else already, of candidates long gone.
    """
    ids = np.full(len(new), -1, np.int64)
    for frame in np.unique(new.frame).tolist():
        ours, theirs = _rows(new, frame), _rows(old, frame)
        iou = iou_matrix(new.box[ours], old.box[theirs])
        iou[new.class_id[ours, None] != old.class_id[None, theirs]] = 0.0
        iou[iou < SAME_BOX_IOU] = 0.0
        one, other = linear_sum_assignment(-iou)
        same = iou[one, other] > 0
        ids[ours[one[same]]] = old.id[theirs[other[same]]]
    fresh = np.flatnonzero(ids < 0)
    highest = max((*old.id.tolist(), *named), default=-1)
    ids[fresh] = max(highest, -1) + 1 + np.arange(len(fresh))
    return replace(new, id=ids)


def named_ids(session: Session) -> set[int]:
    """Ids that questions and answers name."""
    asked = {anchor.candidate_id for query in session.asked for anchor in query.subject}
    offered = {anchor.candidate_id for query in session.asked for tracklet in query.options for anchor in tracklet}
    said = {
        anchor.candidate_id
        for item in session.constraints.items
        for anchor in (item.first, item.second)
        if anchor is not None
    }
    return asked | offered | said


def _rows(candidates: Candidates, frame: int) -> IntArray:
    return np.arange(*np.searchsorted(candidates.frame, [frame, frame + 1]))
