"""Labelling again after answers: what is known is not computed again, against labelling from scratch."""

from __future__ import annotations

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.labeler import Labeler, Unanswered
from spam_model.values import Candidates, Constraint, ConstraintKind, Constraints, LabelResult
from spam_model.values.candidates import IntArray
from tests.bench import clips
from tests.bench.ratio import Ratio, seconds

FRAMES = 4000
WINDOW = slice(1100, 1500)  # frames, within one window of 512


def after_answers(labeler: Labeler) -> list[Ratio]:
    """10 answers about one window, and 50 about the whole video; the same labels, or this fails."""
    candidates = clips.street(FRAMES)
    base = labeler.unanswered(candidates)
    before = labeler.label(candidates, base=base)
    within = (candidates.frame >= WINDOW.start) & (candidates.frame < WINDOW.stop)
    tracked = before.hierarchy.track_of >= 0
    return [
        _ratio(labeler, candidates, base, _answers(before, np.flatnonzero(tracked & where), count), what)
        for where, count, what in (
            (within, 10, "within a window"),
            (np.ones(len(candidates), bool), 50, "all over"),
        )
    ]


def _ratio(labeler: Labeler, candidates: Candidates, base: Unanswered, said: Constraints, what: str) -> Ratio:
    again, scratch = labeler.label(candidates, said, base=base), labeler.label(candidates, said)
    assert np.array_equal(again.hierarchy.track_of, scratch.hierarchy.track_of)
    assert np.array_equal(again.labels.box, scratch.labels.box)
    return Ratio(
        f"label again, {len(said)} answers {what} of {FRAMES} frames",
        "from scratch",
        "videos/s",
        1 / seconds(lambda: labeler.label(candidates, said, base=base), 2),
        1 / seconds(lambda: labeler.label(candidates, said), 1),
    )


def _answers(result: LabelResult, rows: IntArray, count: int) -> Constraints:
    """Half of them take a box out of its track, half cut a track in two, evenly spread over ``rows``."""
    candidates, track = result.candidates, result.hierarchy.track_of
    items = []
    for number, row in enumerate(rows[np.linspace(0, len(rows) - 1, count).astype(int)].tolist()):
        following = rows[(rows > row) & (track[rows] == track[row])]
        if number % 2 or len(following) == 0:
            items.append(Constraint(ConstraintKind.REJECT, _anchor(candidates, row)))
        else:
            second = int(following[0])
            items.append(Constraint(ConstraintKind.CANNOT_LINK, _anchor(candidates, row), _anchor(candidates, second)))
    return Constraints(tuple(items))


def _anchor(candidates: Candidates, row: int):  # type: ignore[no-untyped-def]
    return anchors_of(candidates, np.array([row]))[0]
