"""Tracking metrics: HOTA, MOTA, IDF1 and their parts, by TrackEval."""

from spam_model.evaluation.folders import evaluate_folders
from spam_model.evaluation.scores import Evaluation, Scores, evaluate, evaluate_many

__all__ = ["Evaluation", "Scores", "evaluate", "evaluate_folders", "evaluate_many"]
