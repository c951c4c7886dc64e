"""Self-training: a model learns from its own labels of the video at hand, and stays as it is unless that helped."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spam_model.graph.model import SpamModel
from spam_model.training.calibration import held_out_logits, set_temperatures
from spam_model.training.checkpoint import Progress
from spam_model.training.consistency import Verdict, judge
from spam_model.training.dataset import Stream, TrainingClip, labelled_at
from spam_model.training.loop import Schedule, run_steps
from spam_model.training.pseudo_labels import pseudo_labelled
from spam_model.training.ranks import Ranks
from spam_model.training.sources import Simulated, mixed
from spam_model.training.trainer import Trainer
from spam_model.values import Candidates, Constraints
from spam_model.values.candidates import FloatArray

LEARNING_RATE = 5e-4
HELD_OUT_CLIPS = 24
HELD_OUT_SEED = 2_000_003
GENTLY = Schedule(minutes=2.0, learning_rate=LEARNING_RATE, unlocked_after=0.0)


@dataclass(frozen=True)
class Adaptation:
    """``model`` is the student where the verdict prefers it, else the teacher. ``losses``: [S, 1 + levels]."""

    model: SpamModel
    student: SpamModel
    verdict: Verdict
    losses: FloatArray


def adapt(
    model: SpamModel,
    clips: Sequence[Candidates],
    constraints: Sequence[Constraints] | None = None,
    schedule: Schedule = GENTLY,
    seed: int = 0,
    progress: bool = False,
) -> Adaptation:
    """Retrains a copy of ``model`` on its labels of ``clips``, half and half with simulated clips, and judges it.

    No ground truth is read. The simulated clips keep the student from forgetting, and from taking over a mistake for
    want of anything else.

    Args:
        constraints: people's answers, for each clip; in force in the pseudo-labels, and of more weight in them.
    """
    answers = constraints if constraints is not None else [Constraints()] * len(clips)
    ranks = Ranks(model.device)
    source = mixed([pseudo_labelled(model, clips, answers), Simulated()])
    trainer = Trainer(copy.deepcopy(model).train(), ranks)
    stream = Stream(source, seed).in_background()
    losses = run_steps(trainer, stream, schedule, ranks, Progress.begin(), lambda _: None, np.inf, progress).losses
    student = trainer.model
    student.load_state_dict(trainer.average.module.state_dict())
    student.eval()
    crowds = [labelled_at(Simulated(), seed + HELD_OUT_SEED, index)[0] for index in range(HELD_OUT_CLIPS)]
    set_temperatures(student, held_out_logits(student, map(TrainingClip.of, crowds)))
    verdict = judge(model, student, clips, answers, crowds)
    return Adaptation(student if verdict.prefers_student else model, student, verdict, losses)
