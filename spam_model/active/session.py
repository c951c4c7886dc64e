"""The state of a labelling run between rounds: what was asked and answered, what follows, what may still be spent."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from spam_model.active.answers import constraints_from
from spam_model.values import Answer, Constraints, Ledger, Query, QueryKind


@dataclass(frozen=True)
class Session:
    """One labelling run of one clip; the offline loop and the bridge share it.

    Attributes:
        ledger: clicks.
        rounds: over how many rounds the budget is spread.
        round: rounds asked so far.
        constraints: all that people have said.
        asked: every question so far, in order.
        answers: every answer so far.
    """

    ledger: Ledger
    rounds: int = 3
    round: int = 0
    constraints: Constraints = field(default_factory=Constraints)
    asked: tuple[Query, ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def clicks_this_round(self) -> int:
        """An equal share of what is left; what a round does not spend rolls on. Open questions count as skipped."""
        rounds_left = self.rounds - self.round
        return -(-self.ledger.left // rounds_left) if rounds_left > 0 else 0

    @property
    def open_questions(self) -> tuple[Query, ...]:
        answered = {answer.query_id for answer in self.answers}
        return tuple(query for query in self.asked if query.id not in answered)

    def is_settled(self, query: Query) -> bool:
        """Whether this was asked before, in these or nearly these words."""
        if self.ledger.knows(query.id):
            return True
        if query.kind is not QueryKind.DETECTION:
            return False
        asked = self._asked_about
        shared = Counter(position for anchor in query.subject for position in asked.get(anchor.candidate_id, ()))
        return any(2 * count > len(query.subject) for count in shared.values())

    @cached_property
    def _asked_about(self) -> dict[int, list[int]]:
        """Candidate id -> positions in ``asked`` of the detection questions about it."""
        result: dict[int, list[int]] = defaultdict(list)
        for position, query in enumerate(self.asked):
            if query.kind is QueryKind.DETECTION:
                for anchor in query.subject:
                    result[anchor.candidate_id].append(position)
        return result

    def ask(self, queries: tuple[Query, ...]) -> Session:
        """Opens the next round with those of these questions that were not asked before."""
        number = self.round + 1
        new = {query.id: query for query in queries if not self.ledger.knows(query.id)}
        ledger = self.ledger.ask(tuple(new.values()), number)
        return replace(self, round=number, ledger=ledger, asked=self.asked + tuple(new.values()))

    def tell(self, answers: tuple[Answer, ...]) -> Session:
        """Takes answers in; each question counts and costs once, the first answer stands.

        Raises:
            InputError: an answer is no choice of its question.
        """
        queries = {query.id: query for query in self.open_questions}
        new: dict[str, Answer] = {}
        for answer in answers:
            if answer.query_id in queries:
                new.setdefault(answer.query_id, answer)
        said = chain.from_iterable(constraints_from(queries[query_id], answer) for query_id, answer in new.items())
        return replace(
            self,
            constraints=self.constraints.plus(tuple(said)),
            answers=self.answers + tuple(new.values()),
            ledger=self.ledger.charge(frozenset(new)),
        )
