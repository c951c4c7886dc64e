"""A model's own labels of a video as training material (SPAM, Sec. 3.4: pseudo-label the target, retrain on it).

What keeps this from going in a circle: the labels are those of the whole hierarchy, with the whole video at hand, gaps
closed by long tracks, weak tracks dropped; and with people's answers, where there are any. They are learnt by every
level from less: a short window with candidates withheld, so that gaps have to be bridged; and from low-score candidates
that the teacher did not link itself but that lie on its tracks. What the teacher is unsure of counts for little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spam_model.evaluation.matching import match_to_truth
from spam_model.graph.constraints import resolve
from spam_model.graph.model import SpamModel
from spam_model.labeler import Labeler
from spam_model.training.sources import LONGEST, Labelled, longest_clip
from spam_model.training.variations import window, with_gaps
from spam_model.values import Candidates, Constraints, GroundTruth, LabelResult, Labels, binary_entropy
from spam_model.values.candidates import FloatArray, IntArray

ANSWER_WEIGHT = 4.0  # of a candidate that a person spoke of, beside 1 for one that the model is sure of


@dataclass(frozen=True)
class PseudoLabelled:
    """Windows of clips with pseudo-labels, gaps made in them."""

    clips: tuple[Labelled, ...]
    name: str = "pseudo-labels"

    def draw(self, rng: np.random.Generator) -> Labelled:
        clip = self.clips[int(rng.integers(len(self.clips)))]
        frames = clip.candidates.info.frame_count
        length = min(frames, LONGEST, longest_clip(rng, len(clip.candidates) / frames))
        part = window(clip.candidates, int(rng.integers(frames - length + 1)), length)
        return clip.seen_in(with_gaps(part, rng))


def pseudo_label(model: SpamModel, candidates: Candidates, constraints: Constraints) -> Labelled:
    """What the model says of a clip, with how sure it is: weight 1 − H(p) / ln 2, from the least sure decision.

    Candidates on the filled gaps of a track belong to it. Those of tracks that are too short or too weak to be pushed
    are left open (weight 0). What a person spoke of has weight 4.
    """
    result = Labeler(model, model.device).label(candidates, constraints)
    labels = result.labels
    count = len(candidates)
    identity = np.full(count, -1, np.int64)
    weight = 1 - binary_entropy(result.hierarchy.node_probability) / np.log(2)
    weight[result.hierarchy.track_of >= 0] = 0.0
    detected = np.flatnonzero(labels.candidate_id >= 0)
    rows = candidates.rows_of(labels.candidate_id[detected])
    identity[rows], weight[rows] = labels.track[detected], _certainty(labels)[detected]
    rows, filled = _in_gaps(result, np.flatnonzero(identity < 0))
    identity[rows], weight[rows] = labels.track[filled], _certainty(labels)[filled]
    answered, rejected = _answered(candidates, constraints)
    weight[answered] = ANSWER_WEIGHT
    identity[rejected] = -1
    return Labelled(result.candidates, identity, weight.astype(np.float32))


def pseudo_labelled(
    model: SpamModel, clips: Sequence[Candidates], constraints: Sequence[Constraints]
) -> PseudoLabelled:
    """Pseudo-labels of several clips."""
    return PseudoLabelled(tuple(pseudo_label(model, *pair) for pair in zip(clips, constraints, strict=True)))


def _certainty(labels: Labels) -> FloatArray:
    return np.asarray(1 - labels.uncertainty / np.log(2))


def _in_gaps(result: LabelResult, free: IntArray) -> tuple[IntArray, IntArray]:
    """Candidates among the rows ``free`` that fit a filled box: their rows, and those of the boxes in the labels."""
    labels = result.labels
    filled = np.flatnonzero(labels.candidate_id < 0)
    boxes = GroundTruth(
        info=labels.info,
        track=labels.track[filled],
        frame=labels.frame[filled],
        box=labels.box[filled],
        class_id=labels.class_id[filled],
        visibility=np.ones(len(filled)),
        ignored=np.zeros(len(filled), bool),
    )
    _, row = match_to_truth(result.candidates.take(free), boxes)
    return free[row >= 0], filled[row[row >= 0]]


def _answered(candidates: Candidates, constraints: Constraints) -> tuple[IntArray, IntArray]:
    """Rows of which a constraint in force speaks, and those of them that are rejected."""
    resolved = resolve(candidates, constraints)
    spoken = resolved.fixed | resolved.rejected
    spoken[resolved.cannot.ravel()] = True
    return np.flatnonzero(spoken), np.flatnonzero(resolved.rejected)
