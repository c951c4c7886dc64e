"""The questions that could be asked about a result, by what they are about."""

from spam_model.active.questions.boxes import fit_drafts
from spam_model.active.questions.crossings import crossing_drafts
from spam_model.active.questions.draft import Draft
from spam_model.active.questions.links import gap_drafts
from spam_model.active.questions.occurrences import continuations, next_drafts
from spam_model.active.questions.places import place_drafts
from spam_model.active.questions.runs import missed_drafts, run_drafts
from spam_model.active.questions.tracks import track_drafts
from spam_model.active.questions.view import ReviewView

__all__ = [
    "Draft",
    "ReviewView",
    "continuations",
    "crossing_drafts",
    "fit_drafts",
    "gap_drafts",
    "missed_drafts",
    "next_drafts",
    "place_drafts",
    "run_drafts",
    "track_drafts",
]
