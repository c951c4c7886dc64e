"""The questions that could be asked about a result, by what they are about."""

from spam_model.active.questions.boxes import box_questions, localization_questions
from spam_model.active.questions.crossings import crossing_questions
from spam_model.active.questions.links import link_questions
from spam_model.active.questions.tracks import track_questions

__all__ = ["box_questions", "crossing_questions", "link_questions", "localization_questions", "track_questions"]
