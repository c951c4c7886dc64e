"""A simulated annotator who answers from ground truth, as in the paper's experiments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spam_model.evaluation.matching import MATCH_IOU, NO_OBJECT, match_to_truth
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

REFINE_BELOW_IOU = 0.7
CLEAR_SHARE = 2 / 3  # of the boxes that a card shows, for a yes; as few the other way for a no
MAJORITY = 0.5  # of the boxes by which people recognise an object


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
            right = self._refine(query)
            return self._misjudged(query, right) if self._random.random() < self._error_rate else right
        choice = self._validity(query) if query.kind is QueryKind.DETECTION else self._next_occurrence(query)
        if self._random.random() < self._error_rate:
            choice = str(self._random.choice([other for other in query.choices[:-1] if other != choice]))
        return Answer(query.id, choice)

    def _misjudged(self, query: Query, right: Answer) -> Answer:
        """A careless answer: the rectangle left as it was, or an object that was there overlooked."""
        proposal = query.subject[0].box
        return Answer(query.id, box=proposal) if right.box is None else Answer(query.id, NOTHING)

    def _object(self, anchors: Sequence[Anchor], least: float = 0.0) -> int:
        """The identity that most of these boxes show, the first of the most frequent; if ``least`` of them do."""
        seen = [self._seen_at(anchor) for anchor in anchors]
        objects = [identity for identity in seen if identity >= 0]
        found = int(max(objects, key=objects.count, default=NO_OBJECT))
        return found if objects and objects.count(found) >= least * len(seen) else NO_OBJECT

    def _seen_at(self, anchor: Anchor) -> int:
        """The identity of a candidate; of a drawn box, that of the true box it fits."""
        if not anchor.is_drawn:
            return int(self._identity[anchor.candidate_id])
        rows = np.flatnonzero((self._truth.frame == anchor.frame) & ~self._truth.ignored)
        overlap = iou_matrix(np.array([anchor.box]), self._truth.box[rows])[0]
        return int(self._truth.track[rows[overlap.argmax()]]) if overlap.max(initial=0) >= MATCH_IOU else NO_OBJECT

    def _shown_by(self, facing: Anchor, around: Sequence[Anchor]) -> int:
        """The identity of the box that the answer will speak of; where that is no object, of those around it."""
        identity = self._object((facing,))
        return identity if identity >= 0 else self._object(around[:RECOGNISED_BY], MAJORITY)

    def _validity(self, query: Query) -> str:
        seen = [self._seen_at(anchor) >= 0 for anchor in query.shown]
        share = sum(seen) / len(seen)
        return "yes" if share >= CLEAR_SHARE else "no" if share <= 1 - CLEAR_SHARE else "unsure"

    def _next_occurrence(self, query: Query) -> str:
        subject, facing = query.facing
        wanted = self._shown_by(subject, query.subject[::-1])
        if wanted < 0:
            return "unsure"
        same = [
            (option[0].frame, letter)
            for letter, anchor, option in zip(OPTION_LETTERS, facing, query.options, strict=False)
            if wanted == self._shown_by(anchor, option)
        ]
        letters = [letter for _, letter in sorted(same)]
        return query.expected if query.expected in letters else letters[0] if letters else "nobody"

    def _row_between(self, query: Query) -> int:
        """The truth's row of the object on both sides of a gap, in the frame asked about; -1 where it is not there."""
        assert query.between
        before, after = (self._object((anchor,)) for anchor in query.between)
        if before != after or before < 0:
            return -1
        rows = np.flatnonzero((self._truth.track == before) & (self._truth.frame == query.subject[0].frame))
        return int(rows[0]) if len(rows) else -1

    def _refine(self, query: Query) -> Answer:
        anchor = query.subject[0]
        row = self._row_between(query) if query.between else self._truth_row.get(anchor.candidate_id, -1)
        if row < 0 or self._truth.ignored[row]:
            return Answer(query.id, NOTHING)
        true_box = self._truth.box[row]
        overlap = iou_matrix(np.array([anchor.box]), true_box[None])[0, 0]
        x1, y1, x2, y2 = map(float, true_box)
        return Answer(query.id, box=(x1, y1, x2, y2) if overlap < REFINE_BELOW_IOU else anchor.box)
