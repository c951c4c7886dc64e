"""The click ledger: what was asked, answered and spent, against a budget frozen at the start."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from spam_model.values.queries import Query


def full_effort(box_count: int, track_count: int) -> int:
    """Clicks of labelling everything by hand: 2 a box, 1 a link to the next box (SPAM, Sec. 3.3)."""
    return 2 * box_count + (box_count - track_count)


@dataclass(frozen=True)
class LedgerEntry:
    """One question. ``charged`` is its price once answered (an "unsure" costs the click it took), else 0."""

    query_id: str
    kind: str
    round: int
    clicks: int
    charged: int = 0


@dataclass(frozen=True)
class Ledger:
    """``full`` is the clicks of labelling everything by hand, ``budget`` the clicks that may be spent."""

    full: int
    budget: int
    entries: tuple[LedgerEntry, ...] = field(default=())

    @classmethod
    def for_fraction(cls, full: int, fraction: float) -> Ledger:
        if not 0 <= fraction <= 1:
            raise ValueError(f"a budget is a fraction between 0 and 1, got {fraction}")
        return cls(full=full, budget=int(full * fraction + 1e-9))

    @property
    def spent(self) -> int:
        return sum(entry.charged for entry in self.entries)

    @property
    def left(self) -> int:
        return self.budget - self.spent

    @property
    def effort(self) -> float:
        """Clicks spent over clicks of labelling everything by hand."""
        return self.spent / self.full if self.full else 0.0

    def knows(self, query_id: str) -> bool:
        return query_id in self._known

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(entry.query_id for entry in self.entries)

    def ask(self, queries: tuple[Query, ...], round: int) -> Ledger:
        """Enters these questions, each once however often it is asked."""
        new = {q.id: LedgerEntry(q.id, q.kind, round, q.clicks) for q in queries if not self.knows(q.id)}
        return replace(self, entries=self.entries + tuple(new.values()))

    def charge(self, query_ids: frozenset[str]) -> Ledger:
        """Charges these questions, each once however often it is charged."""
        entries = tuple(
            replace(entry, charged=entry.clicks) if entry.query_id in query_ids else entry for entry in self.entries
        )
        return replace(self, entries=entries)
