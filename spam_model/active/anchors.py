"""Anchors of candidates: what a question or a constraint remembers of them."""

from __future__ import annotations

from spam_model.values import Anchor, Candidates
from spam_model.values.candidates import IntArray


def anchors_of(candidates: Candidates, rows: IntArray) -> tuple[Anchor, ...]:
    """Anchors of these rows, in the order given."""
    columns = (candidates.id, candidates.frame, candidates.box, candidates.class_id)
    return tuple(
        Anchor(candidate_id, frame, (x1, y1, x2, y2), class_id)
        for candidate_id, frame, (x1, y1, x2, y2), class_id in zip(*(c[rows].tolist() for c in columns), strict=True)
    )
