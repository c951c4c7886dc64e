"""The scale of every feature, measured once on the first clips of a training run."""

from __future__ import annotations

import numpy as np

from spam_model.graph.model import LEVELS, SpamModel
from spam_model.training.dataset import LOWEST_SCORES, TrainingClip
from spam_model.training.rollout import Step, rollout
from spam_model.values.candidates import FloatArray


def fit_statistics(model: SpamModel, clips: list[TrainingClip]) -> None:
    """Mean and standard deviation of all features, on the graphs that true links would give."""
    rows: dict[str, list[FloatArray]] = {name: [] for name in model.scales}

    def follow_truth(step: Step) -> FloatArray:
        rows["tracklet"].append(step.graph.node_feature)
        rows["tracklet_edge"].append(step.graph.edge_feature)
        return step.target.astype(np.float64)

    for clip in clips:
        rows["candidate"].append(clip.node.node_feature)
        rows["candidate_edge"].append(clip.node.edge_feature)
        rollout(clip, clip.scene.score >= LOWEST_SCORES[0], LEVELS, follow_truth)
    for name, parts in rows.items():
        model.scales[name].fit(np.concatenate(parts))  # type: ignore[operator]
