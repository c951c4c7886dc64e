"""Our default acquisition: questions about tracks, ranked by the label error they are expected to remove per click.

A probability that a decision is wrong, times the boxes that it decides, over the clicks that it costs. Edge entropy
alone spends clicks on links that a higher level mends by itself, and is blind to swaps of which the model is sure.
"""

from __future__ import annotations

from spam_model.active.questions import (
    box_questions,
    crossing_questions,
    link_questions,
    localization_questions,
    track_questions,
)
from spam_model.values import LabelResult, Query

KINDS = (track_questions, crossing_questions, link_questions, box_questions, localization_questions)


class ErrorPerClick:
    name = "error-per-click"

    def rank(self, result: LabelResult) -> list[Query]:
        queries = [query for questions in KINDS for query in questions(result)]
        return sorted(queries, key=lambda query: -query.value)
