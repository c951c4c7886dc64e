"""Tracking metrics: HOTA, MOTA, IDF1 and their parts, by TrackEval."""

from spam_model.evaluation.folders import evaluate_folders
from spam_model.evaluation.scores import Evaluation, Result, Scores, combine, evaluate, evaluate_many, measure

__all__ = [
    "Evaluation",
    "Result",
    "Scores",
    "combine",
    "evaluate",
    "evaluate_folders",
    "evaluate_many",
    "measure",
]
