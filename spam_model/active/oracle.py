"""A simulated annotator who answers from ground truth, as in the paper's experiments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from spam_model.geometry import iou_matrix
from spam_model.values import (
    NOTHING,
    OPTION_LETTERS,
    RECOGNISED_BY,
    Anchor,
    Answer,
    Candidates,
    GroundTruth,
    Query,
    QueryKind,
)
from spam_model.values.candidates import IntArray

MATCH_IOU = 0.5
REFINE_BELOW_IOU = 0.7
CLEAR_SHARE = 2 / 3  # of the boxes that a card shows, for a yes; as few the other way for a no
IGNORED = -2
NO_OBJECT = -1


def match_to_truth(candidates: Candidates, truth: GroundTruth) -> tuple[IntArray, IntArray]:
    """Each candidate's ground-truth identity and row, by Hungarian matching per frame and class at IoU ≥ 0.5.

    Returns:
        identity [N], ``NO_OBJECT`` for a false positive and ``IGNORED`` on distractors; truth row [N], -1 for none.
    """
    identity = np.full(len(candidates), NO_OBJECT, np.int64)
    truth_row = np.full(len(candidates), -1, np.int64)
    order = np.argsort(truth.frame, kind="stable")
    frames = np.arange(candidates.info.frame_count + 1)
    truth_start = np.searchsorted(truth.frame[order], frames)
    candidate_start = np.searchsorted(candidates.frame, frames)
    for frame in range(candidates.info.frame_count):
        mine = np.arange(candidate_start[frame], candidate_start[frame + 1])
        theirs = order[truth_start[frame] : truth_start[frame + 1]]
        if len(mine) == 0 or len(theirs) == 0:
            continue
        overlap = iou_matrix(candidates.box[mine], truth.box[theirs])
        overlap[candidates.class_id[mine][:, None] != truth.class_id[theirs][None, :]] = 0
        overlap[overlap < MATCH_IOU] = 0  # before the matching: a pair that is none must not displace one
        overlap[:, truth.ignored[theirs]] *= 0.5  # a real object goes before a distractor
        rows, columns = linear_sum_assignment(-overlap)
        good = overlap[rows, columns] > 0
        truth_row[mine[rows[good]]] = theirs[columns[good]]
    hit = truth_row >= 0
    identity[hit] = np.where(truth.ignored[truth_row[hit]], IGNORED, truth.track[truth_row[hit]])
    return identity, truth_row


class Oracle:
    """Answers every question from ground truth; ``error_rate`` of the choices are wrong, drawn with ``seed``."""

    def __init__(self, candidates: Candidates, truth: GroundTruth, error_rate: float = 0.0, seed: int = 0) -> None:
        identity, truth_row = match_to_truth(candidates, truth)
        self._identity = dict(zip(candidates.id.tolist(), identity.tolist(), strict=True))
        self._truth_row = dict(zip(candidates.id.tolist(), truth_row.tolist(), strict=True))
        self._truth = truth
        self._error_rate = error_rate
        self._random = np.random.default_rng(seed)

    def answer(self, query: Query) -> Answer:
        if query.kind is QueryKind.LOCALIZATION:
            return self._refine(query)
        choice = self._validity(query) if query.kind is QueryKind.DETECTION else self._next_occurrence(query)
        if self._random.random() < self._error_rate:
            choice = str(self._random.choice([other for other in query.choices[:-1] if other != choice]))
        return Answer(query.id, choice)

    def _object(self, anchors: Sequence[Anchor]) -> int:
        """The identity that most of these boxes show; the first of the most frequent."""
        seen = [self._identity[anchor.candidate_id] for anchor in anchors]
        objects = [identity for identity in seen if identity >= 0]
        return max(objects, key=objects.count) if objects else NO_OBJECT

    def _shown_by(self, facing: Anchor, around: Sequence[Anchor]) -> int:
        """The identity of the box that the answer will speak of; where that is no object, of most around it."""
        identity = self._object((facing,))
        return identity if identity >= 0 else self._object(around[:RECOGNISED_BY])

    def _validity(self, query: Query) -> str:
        seen = [self._identity[anchor.candidate_id] >= 0 for anchor in query.shown]
        share = sum(seen) / len(seen)
        return "yes" if share >= CLEAR_SHARE else "no" if share <= 1 - CLEAR_SHARE else "unsure"

    def _next_occurrence(self, query: Query) -> str:
        subject, facing = query.facing
        wanted = self._shown_by(subject, query.subject[::-1])
        if wanted < 0:
            return "nobody"
        same = [
            (option[0].frame, letter)
            for letter, anchor, option in zip(OPTION_LETTERS, facing, query.options, strict=False)
            if wanted == self._shown_by(anchor, option)
        ]
        return min(same)[1] if same else "nobody"

    def _refine(self, query: Query) -> Answer:
        anchor = query.subject[0]
        row = self._truth_row[anchor.candidate_id]
        if row < 0 or self._truth.ignored[row]:
            return Answer(query.id, NOTHING)
        true_box = self._truth.box[row]
        overlap = iou_matrix(np.array([anchor.box]), true_box[None])[0, 0]
        x1, y1, x2, y2 = map(float, true_box)
        return Answer(query.id, box=(x1, y1, x2, y2) if overlap < REFINE_BELOW_IOU else anchor.box)
