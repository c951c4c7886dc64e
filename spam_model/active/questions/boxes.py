"""Does this box fit?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.active.questions.draft import Draft
from spam_model.active.questions.view import ReviewView
from spam_model.values import CLICKS, LabelResult, Query, QueryKind, Topic

FEATURES = ("logit", "strength", "border", "log height")
GAIN = 1.0  # boxes' worth of label error that a redrawn box removes, at it and beside it


def fit_drafts(view: ReviewView) -> Iterator[Draft]:
    """Pushed boxes of detectors, one by one."""
    for row in np.flatnonzero(view.pushed & (view.strength < 1)).tolist():
        yield Draft(
            topic=Topic.FIT,
            features=(
                float(view.node_logit[row]),
                float(view.strength[row]),
                float(min(view.scene.border[row], 1.0)),
                float(view.scene.geometry[row, 2] - np.log(view.scene.image_height)),
            ),
            stake=GAIN,
            clicks=CLICKS[QueryKind.LOCALIZATION],
            build=partial(_query, view.result, row),
        )


def _query(result: LabelResult, row: int) -> Query:
    return Query(kind=QueryKind.LOCALIZATION, level=0, subject=anchors_of(result.candidates, np.array([row])))
