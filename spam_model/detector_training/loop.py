"""Training of a detector: batches until the budget is spent, a warm-up, a cosine, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import nn
from tqdm import tqdm

from spam_model.detector_training.batches import Batch, BatchStream, Views
from spam_model.detector_training.samples import Samples
from spam_model.detector_training.trainable import Part, TrainableDetector
from spam_model.detector_training.trainer import LOSSES, DetectorTrainer
from spam_model.errors import InputError
from spam_model.training.checkpoint import Progress, RunKey, read_checkpoint, write_checkpoint
from spam_model.training.loop import Checkpoint
from spam_model.training.ranks import Ranks
from spam_model.values.candidates import FloatArray, IntArray

FINAL_RATE = 0.05  # of the learning rate, at the end of the cosine


@dataclass(frozen=True)
class Schedule:
    """How long, how fast.

    Attributes:
        minutes: processor time of the training, as in ``training.loop.Schedule``.
        steps: where given, a budget in steps takes the place of that in time.
        learning_rate: at its highest, after ``warm_up`` steps; then it falls along a half cosine.
        averaging: of the moving average, per update.
        forgetful: the average keeps nothing of the weights at the start. From random weights it must not; retrained
            ones are better on other frames where it keeps some of them (as in Wortsman et al., "Robust fine-tuning of
            zero-shot models", CVPR 2022).
        part: which weights are trained.
        frozen_norms: batch norms keep the statistics that they have.
        faithfulness: weight of the drift of the feature maps that embedding heads and motion models read.
    """

    minutes: float = 10.0
    steps: int | None = None
    learning_rate: float = 1e-3
    warm_up: int = 100
    averaging: float = 0.998
    forgetful: bool = True
    part: Part = Part.ALL
    frozen_norms: bool = False
    faithfulness: float = 0.0

    def done(self, steps: int, seconds: float) -> float:
        """Share of the budget."""
        return seconds / (60 * self.minutes) if self.steps is None else steps / self.steps

    def rate(self, done: float, steps: int) -> float:
        falling = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + float(np.cos(np.pi * min(done, 1.0))))
        return self.learning_rate * falling * min(1.0, (steps + 1) / self.warm_up)


@dataclass(frozen=True)
class Run:
    """What training gives: the averaged network, in evaluation mode, and the losses [S, 4] named in ``LOSSES``."""

    network: nn.Module
    losses: FloatArray


def train_detector(
    detector: TrainableDetector,
    samples: Samples,
    views: Views,
    schedule: Schedule,
    seed: int = 0,
    ranks: Ranks | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> Run:
    """Trains the detector's network in place, and puts the average of its weights into it.

    Raises:
        InputError: a run that cannot be resumed, or samples of classes that the detector does not have.
    """
    ranks = ranks or Ranks(next(detector.network.parameters()).device)
    ranks.share(list(detector.network.state_dict().values()))
    columns = trained_columns(detector, samples.class_names)
    trainer = DetectorTrainer(
        detector,
        columns,
        ranks,
        part=schedule.part,
        frozen_norms=schedule.frozen_norms,
        averaging=schedule.averaging,
        forgetful=schedule.forgetful,
        faithfulness=schedule.faithfulness,
    )
    key = RunKey(f"{detector.name} on {samples.name}", seed, schedule.minutes, schedule.steps, ranks.size)
    start = Progress(np.zeros((0, len(LOSSES))), 0.0)
    if checkpoint is not None and checkpoint.resume:
        start = read_checkpoint(checkpoint.path, key, trainer.state)
    first = len(start.losses) * ranks.size + ranks.rank
    batches = BatchStream(samples, views, seed, first, ranks.size).in_background()

    def keep(state: Progress) -> None:
        if checkpoint is not None and ranks.leads:
            write_checkpoint(checkpoint.path, key, trainer.state, state)

    interval = checkpoint.seconds if checkpoint is not None else np.inf
    losses = _run(trainer, batches, schedule, ranks, start, keep, interval, progress)
    detector.network.load_state_dict(trainer.average.module.state_dict())
    return Run(detector.network.eval(), losses)


def trained_columns(detector: TrainableDetector, class_names: tuple[str, ...]) -> IntArray:
    """Where the classes of the samples stand among the detector's. [K].

    Raises:
        InputError: it does not have one of them.
    """
    missing = [name for name in class_names if name not in detector.class_names]
    if missing:
        raise InputError(f"{detector.name} does not know {', '.join(missing)}; it knows {_some(detector.class_names)}")
    return np.array([detector.class_names.index(name) for name in class_names], np.int64)


def _run(
    trainer: DetectorTrainer,
    batches: Iterable[Batch],
    schedule: Schedule,
    ranks: Ranks,
    start: Progress,
    keep: Callable[[Progress], None],
    interval: float,
    progress: bool,
) -> FloatArray:
    """Learns from one batch after another; ``keep`` is called every ``interval`` seconds and at the end."""
    losses = list(start.losses)
    begin, kept = time.process_time() - start.seconds, time.monotonic()
    supply: Iterator[Batch] = iter(batches)

    def state() -> Progress:
        return Progress(np.array(losses).reshape(-1, len(LOSSES)), time.process_time() - begin)

    total, unit = (schedule.steps, "step") if schedule.steps is not None else (round(60 * schedule.minutes), "s")
    with tqdm(total=total, desc="training", unit=unit, disable=None if progress and ranks.leads else True) as bar:
        while (done := ranks.agree(schedule.done(len(losses), time.process_time() - begin))) < 1:
            trainer.learning_rate = schedule.rate(done, len(losses))
            losses.append(trainer.learn(next(supply)))
            bar.update(min(round(done * total), total) - bar.n)
            bar.set_postfix(dict(zip(LOSSES, np.round(losses[-1], 2), strict=True)) | {"steps": len(losses)})
            if time.monotonic() - kept >= interval:
                keep(state())
                kept = time.monotonic()
    keep(state())
    return state().losses


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
