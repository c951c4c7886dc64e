"""Is this whole track one valid object? One poster on a wall is one click, not five hundred."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.active.questions import stakes
from spam_model.active.questions.draft import Draft
from spam_model.active.questions.view import ReviewView
from spam_model.values import LabelResult, Query, QueryKind, Topic, binary_entropy
from spam_model.values.candidates import IntArray

FEATURES = ("mean logit", "low logit", "mean strength", "best strength", "log boxes", "log seconds")


def track_drafts(view: ReviewView) -> Iterator[Draft]:
    """One per track of the hierarchy, those that the last filter dropped included."""
    rate = view.result.candidates.info.frame_rate
    for rows in view.tracks.values():
        pushed = bool(view.pushed[rows].any())
        logit, strength = view.node_logit[rows], view.strength[rows]
        yield Draft(
            topic=Topic.TRACK if pushed else Topic.DROPPED,
            features=(
                float(logit.mean()),
                float(np.percentile(logit, 20)),
                float(strength.mean()),
                float(strength.max()),
                float(np.log(len(rows))),
                float(np.log(len(rows) / rate)),
            ),
            stake=stakes.false_boxes(len(rows)) if pushed else stakes.missed_track(len(rows)),
            clicks=1,
            build=partial(_query, view.result, rows, "yes" if pushed else "no"),
        )


def _query(result: LabelResult, rows: IntArray, expected: str) -> Query:
    probability = float(result.hierarchy.node_probability[rows].mean())
    return Query(
        kind=QueryKind.DETECTION,
        level=len(result.hierarchy.levels),
        subject=anchors_of(result.candidates, rows),
        uncertainty=float(binary_entropy(np.array([probability]))[0]),
        boxes_decided=len(rows),
        expected=expected,
    )
