"""From the hierarchy's tracks to labels: one box per frame, gaps filled, boxes smoothed, short tracks dropped."""

from spam_model.postprocess.finish import candidate_uncertainty, finish
from spam_model.postprocess.settings import PostprocessSettings

__all__ = ["PostprocessSettings", "candidate_uncertainty", "finish"]
