"""Contenders against each other on sequences: measured in processes, printed as one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from spam_model.command_line import format_table
from spam_model.commands.benchmark.common import SCORES, SequenceInput, run_all, unique, with_spread
from spam_model.evaluation.contenders import Contender
from spam_model.evaluation.contest import ContestRow, Measured, compete, contest_rows


@dataclass(frozen=True)
class _Task:
    contender: Contender
    sequence: SequenceInput


def hold_contest(
    contenders: Sequence[Contender], sequences: Sequence[SequenceInput], jobs: int, title: str
) -> list[ContestRow]:
    """Every contender on every sequence; rows by sequence, then contender, mean and combined last."""
    tasks = [_Task(contender, sequence) for sequence in sequences for contender in contenders]
    runs: dict[str, list[dict[str, Measured]]] = defaultdict(list)
    measured = dict(zip(tasks, run_all(_compete, tasks, jobs, title), strict=True))
    for contender in contenders:
        runs[contender.name].append({s.name: measured[_Task(contender, s)] for s in sequences})
    rows = [row for name, of_seeds in runs.items() for row in contest_rows(name, of_seeds)]
    places = unique(row.sequence for row in rows)
    return sorted(rows, key=lambda row: places.index(row.sequence))


def contest_table(rows: Sequence[ContestRow]) -> str:
    several = any(row.seeds > 1 for row in rows)
    header = ("sequence", "tracks by", *SCORES, "IDSW", "frames/s")
    return format_table(header, [_cells(row, several and row.seeds > 1) for row in rows])


def _compete(task: _Task) -> Measured:
    return compete(task.contender, *task.sequence.read())


def _cells(row: ContestRow, several: bool) -> list[object]:
    scores = [with_spread(row.scores[name], row.spread[name], several) for name in SCORES]
    return [row.sequence, row.contender, *scores, round(row.scores["IDSW"]), round(row.frames_per_second)]
