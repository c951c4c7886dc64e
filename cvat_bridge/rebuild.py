"""Makes a lost journal again from CVAT: rounds, questions and answers from the review tasks and their guides.

Whose a track is and which object it shows stands in CVAT anyway. What is not there any more is said.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from cvat_bridge.cards import parse_card_file_name
from cvat_bridge.journal import CardRow, Journal, RoundRow
from cvat_bridge.memory import RoundMemory, memory_of
from cvat_bridge.ownership import run_number
from cvat_bridge.review_desk import ReviewDesk
from cvat_bridge.wire import Task
from spam_model.active.session import Session
from spam_model.errors import FormatError
from spam_model.values import Ledger

log = logging.getLogger(__name__)

LOST = (
    "the journal was made again from CVAT; tracks of ours that people deleted since they were pushed may come back, "
    "undo cannot put back what earlier runs replaced, and the report lacks earlier cards"
)


@dataclass(frozen=True)
class _Round:
    """A review task, and what it remembers; ``memory`` is None where that cannot be read."""

    number: int
    task: Task
    memory: RoundMemory | None


def is_lost(journal: Journal) -> bool:
    """Whether the journal knows of nothing: the task is new, or its journal was lost."""
    return journal.session() is None and not journal.rounds()


def rebuild(journal: Journal, desk: ReviewDesk) -> tuple[str, ...]:
    """Fills an empty journal from the task's review tasks; nothing where there are none. Changes nothing in CVAT.

    Returns:
        What was found and what is lost, in words.

    Raises:
        ServerError: CVAT does not answer; nothing was entered then.
    """
    rounds = _rounds(desk)
    known = [one.memory for one in rounds if one.memory]
    if not known:
        return tuple(_unreadable(one) for one in rounds)
    last = known[-1]
    session = Session(ledger=Ledger(last.full, last.budget), rounds=last.rounds)
    cards: list[CardRow] = []
    with journal.transaction():
        for one in rounds:
            session = replace(session, round=one.number - 1)
            if one.memory is None:
                session = replace(session, round=one.number)
            else:
                new = _cards(one.memory, _card_names(desk, one.task))
                journal.put_cards(new)
                cards += new
                session = session.ask(one.memory.queries)
                row = RoundRow(one.number, one.task.id, "open")
                answers, _ = desk.read_answers(row, {query.id: query for query in session.asked})
                session = session.tell(answers)
            journal.put_round(RoundRow(one.number, one.task.id, "open" if one is rounds[-1] else "closed"))
        journal.put_session(session)
        journal.put("settings", last.settings)
        journal.put("runs_of_rounds", {str(memory.round): memory.run for memory in known})
        journal.count_runs_from(max(run_number(memory.run) for memory in known))
    found = (
        f"found {len(rounds)} rounds, {len(cards)} questions and {len(session.answers)} answers "
        f"({session.ledger.spent} clicks) in CVAT"
    )
    return (found, LOST, *(_unreadable(one) for one in rounds if one.memory is None))


def _rounds(desk: ReviewDesk) -> list[_Round]:
    found = []
    for number, task in desk.review_tasks().items():
        try:
            memory = memory_of(desk.reader.guide(task.guide_id) if task.guide_id is not None else "")
            if (memory.task_id, memory.round) != (desk.task.id, number):
                raise FormatError(f"the guide is of round {memory.round} of task {memory.task_id}")
        except FormatError as error:
            log.warning("review task %d: %s", task.id, error)
            memory = None
        found.append(_Round(number, task, memory))
    return found


def _unreadable(one: _Round) -> str:
    return f"review task {one.task.id} (round {one.number}): its questions cannot be read, its answers are lost"


def _card_names(desk: ReviewDesk, task: Task) -> dict[str, str]:
    """Query id -> file name of the cards that lie there."""
    names = (Path(frame.name).name for frame in desk.reader.data_meta(task.id).frames) if task.size else ()
    return {parse_card_file_name(name).query_id: name for name in names}


def _cards(memory: RoundMemory, names: dict[str, str]) -> list[CardRow]:
    return [
        CardRow(query.id, memory.round, parse_card_file_name(name).position, name, memory.to_frame.get(query.id))
        for query in memory.queries
        if (name := names.get(query.id))
    ]
