"""What a round asked, kept in CVAT beside its cards, so that a lost journal can be made again with all answers.

It lies at the end of the review task's guide, as a comment that Markdown does not show: JSON, compressed, in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from spam_model.errors import FormatError
from spam_model.values import Query

VERSION = 1
MAX_BYTES = 64 * 2**20  # of a memory when unpacked: who may edit the task may edit its guide
_COMMENT = re.compile(r"<!-- cvat-spam (\d+) ([A-Za-z0-9+/=]+) -->")


@dataclass(frozen=True)
class RoundMemory:
    """One round of one task.

    Attributes:
        full, budget, rounds: of the ledger and the session.
        run: the run after which the round was opened.
        settings: how candidates were made.
        queries: in the order in which they were chosen.
        to_frame: query id -> card px to frame px (offset x, y, scale), None where the card has no rectangle.
    """

    task_id: int
    round: int
    full: int
    budget: int
    rounds: int
    run: str
    settings: dict[str, object]
    queries: tuple[Query, ...] = ()
    to_frame: dict[str, tuple[float, float, float] | None] = field(default_factory=dict)


_MEMORY = TypeAdapter(RoundMemory)


def with_memory(markdown: str, memory: RoundMemory) -> str:
    """The guide with the memory at its end."""
    packed = zlib.compress(_MEMORY.dump_json(memory), 9)
    return f"{markdown}\n<!-- cvat-spam {VERSION} {base64.b64encode(packed).decode()} -->\n"


def memory_of(markdown: str) -> RoundMemory:
    """
    Raises:
        FormatError: there is none, it was changed, or another release wrote it.
    """
    match = _COMMENT.search(markdown)
    if match is None:
        raise FormatError("the guide of the review task holds no record of its questions")
    if int(match[1]) != VERSION:
        raise FormatError(f"the record of questions has version {match[1]}, this release reads {VERSION}")
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(base64.b64decode(match[2], validate=True), MAX_BYTES)
        if not unpacking.eof:
            raise FormatError("the record of questions in the guide is cut, or too large")
        return _MEMORY.validate_python(json.loads(text))
    except (binascii.Error, zlib.error, ValueError, ValidationError) as error:
        raise FormatError(f"the record of questions in the guide was changed ({type(error).__name__})") from error
