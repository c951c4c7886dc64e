"""Which of two models labels a video better, when nobody knows the truth? The one that says the same at any pace.

Each model labels the whole clip, with people's answers where there are any, and the clip slower and backwards, without
them. Where all frames are in sight links are short and mostly right, so the labels of the whole clip serve as truth:

    consistency(m) = mean over paces v and both models r of IDF1(labels of v by m, labels of the whole clip by r)

over the candidates that both were shown. Nothing of the kind is practised in self-training, which withholds candidates:
judged by withheld candidates, students looked better than they were (MOT17-05: 0.71 to 0.77 at −0.25 HOTA). A model
that links nothing, or all, is consistent too. So the student must also still know held-out simulated crowds, whose
truth is known: who learns one video well forgets a little of all others, but not much. And a teacher that contradicts
itself on more than a quarter of the boxes has nothing to teach: there a student learns its mistakes, consistently
(Venice-2: 0.69 to 0.71 at −2.2 HOTA, the worst that was seen, and the reason for this rule).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array

from spam_model.graph.model import SpamModel
from spam_model.labeler import Labeler
from spam_model.training.sources import Labelled
from spam_model.training.variations import other_paces, window
from spam_model.values import Candidates, Constraints, Labels
from spam_model.values.candidates import FloatArray, IntArray

LEAST_TRUSTED = 0.75  # consistency of a teacher that may teach
MOST_FORGOTTEN = 0.02  # IDF1 on simulated crowds
JUDGED_FRAMES = 1500  # of each clip, at most, the first ones


@dataclass(frozen=True)
class Comparison:
    """Mean IDF1 of both models, 0 … 1, and the standard error of their difference."""

    teacher: float
    student: float
    error: float

    @classmethod
    def of(cls, scores: FloatArray) -> Comparison:
        """``scores``: [K, 2], the teacher's and the student's on K occasions."""
        difference = scores[:, 1] - scores[:, 0]
        error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else 0.0
        return cls(float(scores[:, 0].mean()), float(scores[:, 1].mean()), float(error))

    @property
    def gain(self) -> float:
        return self.student - self.teacher


@dataclass(frozen=True)
class Verdict:
    """On the video itself, and on simulated crowds."""

    target: Comparison
    simulated: Comparison

    @property
    def prefers_student(self) -> bool:
        """More consistent on the video, by more than chance, taught by a consistent teacher, and little forgotten."""
        return (
            self.target.teacher >= LEAST_TRUSTED
            and self.target.gain > self.target.error
            and self.simulated.gain >= -MOST_FORGOTTEN
        )


def judge(
    teacher: SpamModel,
    student: SpamModel,
    clips: Sequence[Candidates],
    constraints: Sequence[Constraints],
    simulated: Iterable[Labelled],
) -> Verdict:
    """Compares two models on these clips and on held-out simulated ones; deterministic."""
    labelers = [Labeler(model, model.device) for model in (teacher, student)]
    on_target: list[list[float]] = []
    for whole, answers in zip(clips, constraints, strict=True):
        clip = window(whole, 0, min(whole.info.frame_count, JUDGED_FRAMES))
        references = [labeler.label(clip, answers).labels for labeler in labelers]
        for pace in other_paces(clip.info):
            shown = pace.of(clip)
            truth = [tracks(labels, shown.id) for labels in references]
            said = [tracks(labeler.label(shown).labels, shown.id) for labeler in labelers]
            on_target.append([float(np.mean([agreement(track, r) for r in truth])) for track in said])
    on_simulated = [
        [
            agreement(tracks(labeler.label(crowd.candidates).labels, crowd.candidates.id), crowd.identity)
            for labeler in labelers
        ]
        for crowd in simulated
    ]
    return Verdict(*(Comparison.of(np.array(scores)) for scores in (on_target, on_simulated)))


def agreement(first: IntArray, second: IntArray) -> float:
    """IDF1 of two labellings of the same candidates, [K] and [K], -1 = in no track; 1 where neither has a track.

    Ristani et al., ECCV-W 2016, with candidates in the place of boxes: 2 · IDTP / (boxes of one + boxes of the other),
    IDTP the most candidates that a one-to-one mapping of tracks has in common.
    """
    total = int((first >= 0).sum() + (second >= 0).sum())
    if total == 0:
        return 1.0
    both = (first >= 0) & (second >= 0)
    row, column = (np.unique(track[both], return_inverse=True)[1] for track in (first, second))
    common = coo_array((np.ones(len(row)), (row, column))).toarray() if len(row) else np.zeros((0, 0))
    rows, columns = linear_sum_assignment(-common)
    return float(2 * common[rows, columns].sum() / total)


def tracks(labels: Labels, candidate_id: IntArray) -> IntArray:
    """The track of each candidate, -1 for none. [K] -> [K]."""
    detected = np.flatnonzero(labels.candidate_id >= 0)
    track_of = dict(zip(labels.candidate_id[detected].tolist(), labels.track[detected].tolist(), strict=True))
    return np.array([track_of.get(id, -1) for id in candidate_id.tolist()], np.int64)
