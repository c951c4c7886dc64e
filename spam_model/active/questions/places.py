"""Where is the object in the middle of a gap? The boxes that no detector proposed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.active.questions import stakes
from spam_model.active.questions.draft import Draft
from spam_model.active.questions.view import ReviewView
from spam_model.values import CLICKS, Anchor, LabelResult, Query, QueryKind, Topic

FEATURES = ("log gap", "log speed", "border", "weakest link", "log boxes")
SHORTEST_GAP = 0.2  # s; a straight line does well below
CARRIES = 1.5  # s, how far a drawn box lets a gap be filled on either side


def place_drafts(view: ReviewView) -> Iterator[Draft]:
    """Gaps of pushed tracks; the box is asked in the middle, so that what is left of the gap is half as long."""
    candidates = view.result.candidates
    rate, filled = candidates.info.frame_rate, _before_filled(view.result)
    for rows in view.tracks.values():
        if not view.pushed[rows].any():
            continue
        step = np.diff(candidates.frame[rows])
        for place in np.flatnonzero(step - 1 > SHORTEST_GAP * rate).tolist():
            ends, missing = rows[place : place + 2], int(step[place]) - 1
            seconds = missing / rate
            is_filled = int(candidates.id[ends[0]]) in filled
            draws = max(1, int(np.ceil(seconds / CARRIES)) - 1)
            yield Draft(
                topic=Topic.FILLED if is_filled else Topic.PLACE,
                features=_features(view, ends, seconds, len(rows)),
                stake=(
                    stakes.false_boxes(missing) + stakes.missed_track(missing)
                    if is_filled
                    else stakes.missed_part(missing, len(rows)) / draws
                ),
                clicks=CLICKS[QueryKind.LOCALIZATION],
                build=partial(_query, view.result, int(ends[0]), int(ends[1])),
            )


def _features(view: ReviewView, ends: np.ndarray, seconds: float, boxes: int) -> tuple[float, ...]:
    geometry = view.scene.geometry[ends]
    height = np.exp(geometry[:, 2].mean())
    jump = np.hypot(*(geometry[1, :2] - geometry[0, :2])) / height
    return (
        float(np.log(seconds)),
        float(np.log(0.05 + jump / seconds)),
        float(min(view.scene.border[ends].min(), 1.0)),
        float(view.link_logit[ends[0]]),
        float(np.log(boxes)),
    )


def _before_filled(result: LabelResult) -> frozenset[int]:
    """Ids of the candidates behind which a gap was filled."""
    labels = result.labels
    left = np.flatnonzero((labels.candidate_id[:-1] != -1) & (labels.candidate_id[1:] == -1))
    return frozenset(labels.candidate_id[left].tolist())


def _query(result: LabelResult, before: int, after: int) -> Query:
    candidates = result.candidates
    first, last = candidates.frame[[before, after]].tolist()
    frame = (first + last) // 2
    share = (frame - first) / (last - first)
    x1, y1, x2, y2 = ((1 - share) * candidates.box[before] + share * candidates.box[after]).tolist()
    start, end = anchors_of(candidates, np.array([before, after]))
    proposal = Anchor(drawn_id(start.candidate_id, frame), frame, (x1, y1, x2, y2), start.class_id)
    return Query(kind=QueryKind.LOCALIZATION, level=0, subject=(proposal,), between=(start, end))


def drawn_id(before: int, frame: int) -> int:
    """An id below -1 for the box that a person draws in ``frame`` after the candidate ``before``; ever the same one."""
    digest = hashlib.sha256(f"{before}:{frame}".encode()).digest()
    return -2 - (int.from_bytes(digest[:8], "big") >> 2)
