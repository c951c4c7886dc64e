"""File names of cards: they order the cards of a review task and let a lost journal be rebuilt from CVAT alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from spam_model.errors import FormatError
from spam_model.values import Query

_PATTERN = re.compile(r"r(\d{2,})_(\d{4,})_([0-9a-f]{12})\.png", re.ASCII)


@dataclass(frozen=True)
class CardName:
    """``position`` is the card's 0-based place in its round's review task."""

    round: int
    position: int
    query_id: str


def card_file_name(round: int, position: int, query: Query) -> str:
    """``r02_0007_<query id>.png``: names sort as the cards do."""
    if round < 0 or position < 0:
        raise ValueError(f"rounds and positions count from 0, got round {round}, position {position}")
    return f"r{round:02d}_{position:04d}_{query.id}.png"


def parse_card_file_name(name: str) -> CardName:
    """The inverse of ``card_file_name``; folders before the name are left out.

    Raises:
        FormatError: the name is none that ``card_file_name`` makes.
    """
    match = _PATTERN.fullmatch(PurePosixPath(name).name)
    if match is None:
        raise FormatError(f"{name!r} is no question card of ours; their names look like r02_0007_0123456789ab.png")
    return CardName(round=int(match[1]), position=int(match[2]), query_id=match[3])
