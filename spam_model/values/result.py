"""What one run of the model gives."""

from __future__ import annotations

from dataclasses import dataclass

from spam_model.values.candidates import Candidates
from spam_model.values.constraints import Constraint
from spam_model.values.hierarchy import Hierarchy
from spam_model.values.labels import Labels


@dataclass(frozen=True)
class LabelResult:
    """Labels, and all that led to them.

    Attributes:
        candidates: as given, with the boxes that people corrected in place.
        hierarchy: every decision, with its calibrated probability.
        labels: the tracks, gaps filled.
        conflicts: answers that contradict each other, in words; neither side of a contradiction is in force.
        unmatched: constraints whose candidate is no longer there.
    """

    candidates: Candidates
    hierarchy: Hierarchy
    labels: Labels
    conflicts: tuple[str, ...]
    unmatched: tuple[Constraint, ...]
