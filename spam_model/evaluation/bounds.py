"""The bound of any choice among given candidates: every candidate to the object that it shows, gaps filled."""

from __future__ import annotations

import numpy as np

from spam_model.evaluation.matching import match_to_truth
from spam_model.postprocess.gaps import fill_gaps
from spam_model.values import Candidates, GroundTruth, Labels


def perfect_choice(candidates: Candidates, truth: GroundTruth, fill: bool = True) -> Labels:
    """The tracks of a tracker that errs in nothing but the boxes it is given.

    Candidates are matched to objects frame by frame (Hungarian, IoU ≥ 0.5); those without an object are left out. What
    is missing to 100 % is objects without a candidate and boxes that do not fit.

    Args:
        fill: draw straight lines across gaps of any length.
    """
    identity, _ = match_to_truth(candidates, truth)
    rows = np.flatnonzero(identity >= 0)
    labels = Labels.build(
        candidates.info,
        identity[rows],
        candidates.frame[rows],
        candidates.box[rows],
        class_id=candidates.class_id[rows],
        score=candidates.score[rows],
        candidate_id=candidates.id[rows],
    )
    if not fill:
        return labels
    return fill_gaps(labels, np.zeros((candidates.info.frame_count, 2)), np.full(len(labels), np.inf))
