"""The loop against an annotator: it stops, it helps, and what was answered is in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from spam_model.active.loop import Round, run_rounds
from spam_model.active.session import Session
from spam_model.evaluation import evaluate
from spam_model.graph.constraints import resolve
from spam_model.values import Answer, Candidates, Constraint, ConstraintKind, Constraints, LabelResult, Ledger, Query
from tests.spam_model.active import shipped
from tests.spam_model.active.worlds import detection, result_of, walk

RESULT = result_of([walk(range(3), (0, 0))])


@dataclass
class World:
    """A model, a strategy and an annotator that say nothing of their own; they remember what they were given."""

    questions: Sequence[Query]
    name: str = "fixed"
    labelled_with: list[Constraints] = field(default_factory=list)
    answered: list[Query] = field(default_factory=list)

    def label(self, candidates: Candidates, constraints: Constraints) -> LabelResult:
        self.labelled_with.append(constraints)
        return RESULT

    def rank(self, result: LabelResult, session: Session | None = None) -> Sequence[Query]:
        return self.questions

    def answer(self, query: Query) -> Answer:
        self.answered.append(query)
        return Answer(query.id, "yes")

    def run(self, budget: int, rounds: int) -> list[Round]:
        session = Session(Ledger(full=100, budget=budget), rounds=rounds)
        return list(run_rounds(RESULT.candidates, self.label, self, self, session))


MANY = tuple(detection(number) for number in range(50))
ENDS = [
    ("no budget", MANY, 0, 3, [0]),
    ("the budget is spent", MANY, 6, 3, [0, 2, 2, 2]),
    ("a budget of one click", MANY, 1, 3, [0, 1]),
    ("no more rounds", MANY, 10, 2, [0, 5, 5]),
    ("nothing is left to ask", MANY[:3], 30, 5, [0, 3]),
    ("nothing to ask at all", (), 30, 5, [0]),
    ("nothing is uncertain", (replace(MANY[0], value=0.0),), 30, 5, [0]),
]


@pytest.mark.parametrize(("questions", "budget", "rounds", "clicks"), [c[1:] for c in ENDS], ids=[c[0] for c in ENDS])
def test_the_loop_ends(questions: Sequence[Query], budget: int, rounds: int, clicks: list[int]) -> None:
    done = World(questions).run(budget, rounds)
    assert [one.number for one in done] == list(range(len(clicks)))
    assert [one.session.ledger.spent for one in done] == np.cumsum(clicks).tolist()


def test_labels_are_made_anew_with_all_that_was_said_so_far() -> None:
    world = World(MANY)
    done = world.run(budget=6, rounds=2)
    assert [len(constraints) for constraints in world.labelled_with] == [0, 3, 6]
    assert [one.session.constraints for one in done] == world.labelled_with
    assert world.answered == list(MANY[:6])


@pytest.mark.parametrize("strategy", shipped.STRATEGIES)
def test_the_budget_makes_labels_no_worse(strategy: str) -> None:
    error = np.zeros((len(shipped.SEEDS), 2))
    for i, seed in enumerate(shipped.SEEDS):
        first, *_, last = shipped.rounds(strategy, seed)
        error[i] = [100 - evaluate(shipped.clip(seed).truth, done.result.labels).hota for done in (first, last)]
    before, after = error.mean(axis=0)
    assert after <= before


@pytest.mark.parametrize("strategy", shipped.STRATEGIES)
@pytest.mark.parametrize("seed", shipped.SEEDS)
def test_all_that_was_answered_is_in_force(strategy: str, seed: int) -> None:
    done = shipped.rounds(strategy, seed)[-1]
    result, said = done.result, done.session.constraints
    in_force = resolve(shipped.clip(seed).candidates, said).in_force
    track = dict(zip(result.candidates.id.tolist(), result.hierarchy.track_of.tolist(), strict=True))
    box = dict(zip(result.labels.candidate_id.tolist(), result.labels.box.tolist(), strict=True))

    def holds(item: Constraint) -> bool:
        first = item.first.candidate_id
        second = item.second.candidate_id if item.second else first
        fits = item.box is None or box.get(first) == pytest.approx(item.box)
        rule = {
            ConstraintKind.ACCEPT: track[first] >= 0,
            ConstraintKind.REJECT: track[first] < 0 and first not in box,
            ConstraintKind.MUST_LINK: track[first] == track[second] >= 0,
            ConstraintKind.CANNOT_LINK: track[first] < 0 or track[first] != track[second],
            ConstraintKind.BOX: track[first] >= 0 and fits,
        }
        return bool(rule[item.kind])

    assert len(said) > 20
    assert result.unmatched == ()
    assert len(result.conflicts) <= 0.02 * len(said)
    assert [item for item in in_force.items if not holds(item)] == []
    for kind in (ConstraintKind.ACCEPT, ConstraintKind.REJECT):
        held, wanted = ({item.first.candidate_id for item in part.of_kind(kind)} for part in (in_force, said))
        undone = wanted - held - {item.first.candidate_id for item in in_force.of_kind(ConstraintKind.BOX)}
        assert all(any(f"candidate {one} " in conflict for conflict in result.conflicts) for one in undone)


@pytest.mark.parametrize("seed", shipped.LONG_RUNS)
def test_an_annotator_without_errors_contradicts_nobody(seed: int) -> None:
    """But for boxes drawn in gaps: one may be drawn where another box of the object is accepted, in a track apart."""
    for done in shipped.long_run(seed):
        assert [conflict for conflict in done.result.conflicts if "candidate -" not in conflict] == []
        assert done.result.unmatched == ()


@pytest.mark.parametrize("seed", shipped.LONG_RUNS)
def test_what_a_round_leaves_rolls_on_until_the_budget_is_spent(seed: int) -> None:
    last = shipped.long_run(seed)[-1].session
    left = last.ledger.budget
    for number in range(1, last.rounds + 1):
        share = -(-left // (last.rounds - number + 1))
        spent = sum(entry.charged for entry in last.ledger.entries if entry.round == number)
        assert share - 1 <= spent <= share  # a rectangle is 2 clicks
        left -= spent
    assert 0 <= left <= 1


@pytest.mark.parametrize("seed", shipped.LONG_RUNS)
def test_boxes_that_were_drawn_in_gaps_are_labels_as_they_were_drawn(seed: int) -> None:
    done = shipped.long_run(seed)[-1]
    labels = done.result.labels
    drawn = [item for item in done.session.constraints.of_kind(ConstraintKind.BOX) if item.first.is_drawn]
    assert len(drawn) >= 3
    for item in drawn:
        (row,) = np.flatnonzero(labels.candidate_id == item.first.candidate_id)
        assert labels.box[row].tolist() == list(item.box or ())
        assert labels.frame[row] == item.first.frame
        assert not labels.occluded[row]


def test_track_review_removes_much_of_the_error_of_hard_clips() -> None:
    error = np.zeros(2)
    for seed in shipped.LONG_RUNS:
        first, *_, last = shipped.long_run(seed)
        error += [100 - evaluate(shipped.hard_clip(seed).truth, done.result.labels).hota for done in (first, last)]
    before, after = error
    assert after < 0.9 * before
