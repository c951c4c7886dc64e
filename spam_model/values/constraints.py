"""People's answers as constraints: kept for ever, in force at every level and in every later run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Box = tuple[float, float, float, float]


class ConstraintKind(StrEnum):
    ACCEPT = "accept"  # the candidate is a valid object
    REJECT = "reject"  # it is not, it appears in no track
    MUST_LINK = "must-link"  # both anchors show the same object
    CANNOT_LINK = "cannot-link"  # they show different objects
    BOX = "box"  # the candidate's box, corrected by a person (also an accept)


@dataclass(frozen=True)
class Anchor:
    """One candidate, with enough about it to find it again when detector or candidates change.

    Detectors number their candidates from 0 on. A negative id below -1 is a box that a person drew, or is asked to.
    """

    candidate_id: int
    frame: int
    box: Box  # x1 y1 x2 y2, px
    class_id: int

    @property
    def is_drawn(self) -> bool:
        return self.candidate_id < -1


@dataclass(frozen=True)
class Constraint:
    """``second`` is set for links, ``box`` (x1 y1 x2 y2, px) for corrected boxes. ``query_id`` names the question."""

    kind: ConstraintKind
    first: Anchor
    second: Anchor | None = None
    box: Box | None = None
    query_id: str = ""

    def __post_init__(self) -> None:
        is_link = self.kind in (ConstraintKind.MUST_LINK, ConstraintKind.CANNOT_LINK)
        if is_link != (self.second is not None):
            raise ValueError(f"a {self.kind} constraint has {'two anchors' if is_link else 'one anchor'}")
        if (self.kind is ConstraintKind.BOX) != (self.box is not None):
            raise ValueError("a box belongs to a box constraint, and to no other")


@dataclass(frozen=True)
class Constraints:
    """An ordered, append-only list; the order never changes what it means."""

    items: tuple[Constraint, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def plus(self, more: tuple[Constraint, ...]) -> Constraints:
        """Appends, leaving out what is there already."""
        known = set(self.items)
        return Constraints(self.items + tuple(item for item in dict.fromkeys(more) if item not in known))

    def of_kind(self, *kinds: ConstraintKind) -> tuple[Constraint, ...]:
        return tuple(item for item in self.items if item.kind in kinds)
