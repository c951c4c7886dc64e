"""What an answer means: the constraints that follow from it."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from spam_model.errors import InputError
from spam_model.geometry import iou_matrix
from spam_model.values import (
    NOTHING,
    OPTION_LETTERS,
    Anchor,
    Answer,
    Constraint,
    ConstraintKind,
    Query,
    QueryKind,
    Topic,
)

MISFIT_IOU = 0.7  # below, a box is taken not to fit
WRONG_PLACE_IOU = 0.5  # below, a filled box is taken to show something else


def constraints_from(query: Query, answer: Answer) -> tuple[Constraint, ...]:
    """Constraints that an answer settles; none for "unsure".

    * detection, no: all boxes are rejected; yes, at the node level: all are accepted and are one object; yes, of a
      track: the track is an object, so its middle box is accepted, which keeps the track. Its ends may be trimmed.
    * association, a letter: the end of the subject and the start of the option show one object; nobody: different
      ones, for every option shown.
    * localization: the box as the person left it, moved or not; nothing: the box is rejected. In a gap, the box is
      a new candidate, one object with the boxes before and after; nothing: nothing follows.

    Raises:
        InputError: the answer is no choice of this query, or a box without an area.
    """
    if query.between and answer.choice == NOTHING:
        return ()
    if query.kind is QueryKind.LOCALIZATION and answer.choice == NOTHING:
        return (Constraint(ConstraintKind.REJECT, query.subject[0], query_id=query.id),)
    if query.kind is QueryKind.LOCALIZATION:
        if answer.box is None:
            raise InputError(f"question {query.id} asks for a box, the answer has none")
        x1, y1, x2, y2 = answer.box
        if not (math.isfinite(sum(answer.box)) and x1 < x2 and y1 < y2):
            raise InputError(f"question {query.id}: the box {answer.box} has no area; draw it again")
        drawn = Constraint(ConstraintKind.BOX, query.subject[0], box=answer.box, query_id=query.id)
        return (
            (drawn, *_linked(query, query.between[0], query.subject[0], query.between[1]))
            if query.between
            else (drawn,)
        )
    if answer.choice not in query.choices:
        raise InputError(f"question {query.id} cannot be answered with {answer.choice!r}: {', '.join(query.choices)}")
    if answer.choice == "unsure":
        return ()
    if query.kind is QueryKind.DETECTION:
        if answer.choice == "no":
            return tuple(Constraint(ConstraintKind.REJECT, anchor, query_id=query.id) for anchor in query.subject)
        if query.level > 0:
            middle = query.subject[len(query.subject) // 2]
            return (Constraint(ConstraintKind.ACCEPT, middle, query_id=query.id),)
        accepted = [Constraint(ConstraintKind.ACCEPT, anchor, query_id=query.id) for anchor in query.subject]
        return (*accepted, *(() if query.topic is Topic.RUN else _linked(query, *query.subject)))
    subject, options = query.facing
    if answer.choice == "nobody":
        return tuple(Constraint(ConstraintKind.CANNOT_LINK, subject, option, query_id=query.id) for option in options)
    chosen = options[OPTION_LETTERS.index(answer.choice)]
    return (Constraint(ConstraintKind.MUST_LINK, subject, chosen, query_id=query.id),)


def changes_labels(query: Query, answer: Answer) -> bool:
    """Whether the answer says that the labels are wrong; "unsure" does not."""
    if query.kind is not QueryKind.LOCALIZATION:
        return answer.choice not in (query.expected, "unsure")
    if query.topic is Topic.PLACE or answer.box is None:
        return (query.topic is Topic.PLACE) == (answer.box is not None)
    overlap = iou_matrix(np.array([query.subject[0].box]), np.array([answer.box]))[0, 0]
    return bool(overlap < (WRONG_PLACE_IOU if query.between else MISFIT_IOU))


def _linked(query: Query, *anchors: Anchor) -> tuple[Constraint, ...]:
    return tuple(
        Constraint(ConstraintKind.MUST_LINK, first, second, query_id=query.id) for first, second in pairwise(anchors)
    )
