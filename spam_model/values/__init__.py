"""The values that flow between the parts: frozen dataclasses over numpy arrays."""

from spam_model.values.candidates import Candidates, ClipInfo, Source
from spam_model.values.constraints import Anchor, Box, Constraint, ConstraintKind, Constraints
from spam_model.values.hierarchy import Hierarchy, Level, binary_entropy, node_ends
from spam_model.values.labels import Labels
from spam_model.values.ledger import Ledger, LedgerEntry, full_effort
from spam_model.values.motion import MotionEvidence
from spam_model.values.queries import (
    CLICKS,
    NOTHING,
    OPTION_LETTERS,
    RECOGNISED_BY,
    Answer,
    Query,
    QueryKind,
    Topic,
    evenly_spaced,
)
from spam_model.values.result import LabelResult
from spam_model.values.truth import GroundTruth

__all__ = [
    "CLICKS",
    "NOTHING",
    "OPTION_LETTERS",
    "RECOGNISED_BY",
    "Anchor",
    "Answer",
    "Box",
    "Candidates",
    "ClipInfo",
    "Constraint",
    "ConstraintKind",
    "Constraints",
    "GroundTruth",
    "Hierarchy",
    "LabelResult",
    "Labels",
    "Ledger",
    "LedgerEntry",
    "Level",
    "MotionEvidence",
    "Query",
    "QueryKind",
    "Source",
    "Topic",
    "binary_entropy",
    "evenly_spaced",
    "full_effort",
    "node_ends",
]
