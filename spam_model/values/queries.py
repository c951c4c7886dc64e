"""Questions to people, and their answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from spam_model.values.constraints import Anchor, Box

OPTION_LETTERS = "ABCDEFG"  # seven at most: one digit key each, with nobody and unsure beside them
NOTHING = "nothing"  # the answer to a localization where the person deleted the rectangle: there is no object
SHOWN_BOXES = 8  # crops of a tracklet on a card
RECOGNISED_BY = 15  # boxes at the end of a tracklet that faces a link, by which people tell who it is


def evenly_spaced(anchors: tuple[Anchor, ...], count: int) -> tuple[Anchor, ...]:
    """At most ``count`` of the anchors, first and last included, in order."""
    if len(anchors) <= count:
        return anchors
    return tuple(anchors[round(i * (len(anchors) - 1) / (count - 1))] for i in range(count))


class QueryKind(StrEnum):
    DETECTION = "detection"  # is this box (or whole tracklet) one valid object?
    ASSOCIATION = "association"  # which of these is the next occurrence of this object?
    LOCALIZATION = "localization"  # drag the rectangle until it fits


class Topic(StrEnum):
    """What a question of track review is about."""

    TRACK = "track"  # is this pushed track an object?
    DROPPED = "dropped"  # is this track, which was held back, one?
    CROSSING = "crossing"  # who is it after two tracks met?
    GAP = "gap"  # is it the same object after a gap inside a track?
    NEXT = "next"  # where does the track go on, anywhere in the video?
    RUN = "run"  # does a doubtful stretch of a track belong to an object?
    MISSED = "missed"  # is a chain of rejected boxes an object?
    FIT = "fit"  # does this box fit?
    PLACE = "place"  # where is the object in the middle of a gap that is too long to be filled?
    FILLED = "filled"  # is it where a gap was filled?


CLICKS = {QueryKind.DETECTION: 1, QueryKind.ASSOCIATION: 1, QueryKind.LOCALIZATION: 2}


def _inward(anchors: tuple[Anchor, ...]) -> Anchor:
    return anchors[min(RECOGNISED_BY, len(anchors)) // 2]


@dataclass(frozen=True)
class Query:
    """One question, about a tracklet (or a tracklet of one box).

    Attributes:
        kind: what is asked.
        level: 0 for the node level, else the association level whose decision is uncertain.
        subject: the candidates in question, in time order.
        options: association only: up to seven tracklets, each in time order, the most probable first.
        uncertainty: entropy in nats of the decision that the answer settles.
        boxes_decided: how many boxes the answer decides.
        value: expected label error removed per click, by which queries are ranked.
        topic: what it is about, for track review.
        expected: the choice that leaves the labels as they are.
        error_probability: that the answer will be another one.
        option_probability: association only: that each option is the answer, where that is known.
        vote: how many times this was asked, this time included; another person is asked the same again.
        between: localization in a gap only: the track's boxes before and after it; ``subject`` is a proposed box.
    """

    kind: QueryKind
    level: int
    subject: tuple[Anchor, ...]
    options: tuple[tuple[Anchor, ...], ...] = ()
    uncertainty: float = 0.0
    boxes_decided: int = 1
    value: float = 0.0
    topic: Topic | None = None
    expected: str = ""
    error_probability: float = 0.0
    option_probability: tuple[float, ...] = ()
    vote: int = 1
    between: tuple[Anchor, Anchor] | None = None

    def __post_init__(self) -> None:
        if not self.subject:
            raise ValueError("a query needs a subject")
        if (self.kind is QueryKind.ASSOCIATION) != bool(self.options):
            raise ValueError("an association query has options, and no other has")
        if len(self.options) > len(OPTION_LETTERS):
            raise ValueError(f"a card holds at most {len(OPTION_LETTERS)} options")

    @property
    def clicks(self) -> int:
        """Price in clicks, Sec. 3.3 of the SPAM paper."""
        return CLICKS[self.kind]

    @property
    def id(self) -> str:
        """12 hexadecimal digits from what is asked: the same question has the same id in every run.

        A link question is about the last box of the subject and the first box of each option; that the tracklets
        behind them have grown since makes no new question.
        """
        if self.kind is QueryKind.ASSOCIATION:
            asked = [self.subject[-1].candidate_id, *sorted(option[0].candidate_id for option in self.options)]
        else:
            asked = [anchor.candidate_id for anchor in self.subject]
        again = f":{self.vote}" if self.vote > 1 else ""
        return hashlib.sha256(f"{self.kind}:{asked}{again}".encode()).hexdigest()[:12]

    @property
    def shown(self) -> tuple[Anchor, ...]:
        """The boxes of the subject that the card shows: evenly spaced, ends included."""
        return evenly_spaced(self.subject, SHOWN_BOXES)

    @property
    def facing(self) -> tuple[Anchor, tuple[Anchor, ...]]:
        """The boxes that the answer to a link question speaks of: one of the subject, one of each option.

        Not the outermost ones, where a box may already have slipped onto somebody else, but the middle ones of the few
        by which people recognise an object.
        """
        return _inward(self.subject[::-1]), tuple(_inward(option) for option in self.options)

    @property
    def choices(self) -> tuple[str, ...]:
        """What a person can choose on the card, in the order of the digit keys 1, 2, …; none for a rectangle."""
        if self.kind is QueryKind.DETECTION:
            return ("yes", "no", "unsure")
        if self.kind is QueryKind.ASSOCIATION:
            return (*OPTION_LETTERS[: len(self.options)], "nobody", "unsure")
        return ()


@dataclass(frozen=True)
class Answer:
    """``choice`` is one of the query's choices; a localization carries ``box`` (x1 y1 x2 y2, px), or ``NOTHING``."""

    query_id: str
    choice: str = ""
    box: Box | None = None
