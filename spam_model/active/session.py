"""The state of a labelling run between rounds: what was asked and answered, what follows, what may still be spent."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from spam_model.active.answers import constraints_from
from spam_model.active.beliefs import BELIEVED, believed_choice
from spam_model.values import Answer, Constraint, Constraints, Ledger, Query, QueryKind

MORE_LIKELY = 0.5
MOST_VOTES = 3


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
        if query.kind is not QueryKind.DETECTION or query.topic is not None:
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

        What they make certain enough becomes constraints; after the last round, what they make likelier than not.

        Raises:
            InputError: an answer is no choice of its question.
        """
        queries = {query.id: query for query in self.open_questions}
        new: dict[str, Answer] = {}
        for answer in answers:
            if answer.query_id in queries:
                constraints_from(queries[answer.query_id], answer)  # refuses what is no choice
                new.setdefault(answer.query_id, answer)
        told = replace(self, answers=self.answers + tuple(new.values()), ledger=self.ledger.charge(frozenset(new)))
        last = told.round >= told.rounds or told.ledger.left <= 0
        touched = [queries[query_id] for query_id in new]
        touched += [query for query in self.doubtful if last]
        said = chain.from_iterable(told._conclusion(query, MORE_LIKELY if last else BELIEVED) for query in touched)
        return replace(told, constraints=told.constraints.plus(tuple(said)))

    @property
    def doubtful(self) -> tuple[Query, ...]:
        """Questions whose answers so far are not believed: to be put to another person, ``vote`` counted up."""
        result = []
        for asked in self._votes.values():
            votes = self._choices(asked)
            complete = len(votes) == len(asked) < MOST_VOTES
            if complete and set(votes) - {"unsure"} and believed_choice(asked[0], votes) is None:
                result.append(replace(asked[0], vote=len(asked) + 1))
        return tuple(result)

    @cached_property
    def _votes(self) -> dict[str, list[Query]]:
        """Everything asked, the same questions put to several people together."""
        result: dict[str, list[Query]] = defaultdict(list)
        for query in self.asked:
            result[replace(query, vote=1).id].append(query)
        return result

    @cached_property
    def _answer_of(self) -> dict[str, Answer]:
        return {answer.query_id: answer for answer in self.answers}

    def _choices(self, asked: list[Query]) -> list[str]:
        found = [self._answer_of.get(query.id) for query in asked]
        return [answer.choice for answer in found if answer]

    def _conclusion(self, query: Query, threshold: float) -> tuple[Constraint, ...]:
        """Constraints from all that was said to a question."""
        asked = self._votes[replace(query, vote=1).id]
        if query.kind is QueryKind.LOCALIZATION:
            return constraints_from(query, self._answer_of[query.id])
        choice = believed_choice(asked[0], self._choices(asked), threshold)
        return constraints_from(asked[0], Answer(asked[0].id, choice)) if choice else ()
