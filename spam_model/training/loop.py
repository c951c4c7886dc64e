"""Training of the graph hierarchy: levels unlock one after another, each on the model's own output below."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from spam_model.graph.model import LEVELS, SpamModel
from spam_model.training.checkpoint import Progress, RunKey, read_checkpoint, write_checkpoint
from spam_model.training.dataset import Stream, TrainingClip
from spam_model.training.ranks import Ranks
from spam_model.training.sources import Source
from spam_model.training.standardisation import fit_statistics
from spam_model.training.trainer import Trainer
from spam_model.values.candidates import FloatArray

LEARNING_RATE = 2e-3
UNLOCKED_AFTER = 0.3  # share of the budget until all levels are trained
WARM_UP = 20  # steps
STATISTICS_CLIPS = 24
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Schedule:
    """How long, how fast, how many levels.

    Attributes:
        minutes: processor time of the training itself, on one core while a second one makes the clips; so a busy
            machine takes longer, but gives no worse weights.
        steps: where given, a budget in steps takes the place of that in time: the same weights on any machine.
        learning_rate: at the start, falls along a half cosine.
        unlocked_after: share of the budget until all levels are trained.
    """

    minutes: float = 10.0
    steps: int | None = None
    learning_rate: float = LEARNING_RATE
    unlocked_after: float = UNLOCKED_AFTER

    def done(self, steps: int, seconds: float) -> float:
        """Share of the budget."""
        return seconds / (60 * self.minutes) if self.steps is None else steps / self.steps

    def rate(self, done: float, steps: int) -> float:
        return self.learning_rate * 0.5 * (1 + float(np.cos(np.pi * done))) * min(1.0, (steps + 1) / WARM_UP)

    def levels(self, done: float) -> int:
        return LEVELS if done >= self.unlocked_after else min(LEVELS, 1 + int(done / self.unlocked_after * LEVELS))


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run is written down, and whether it goes on from there."""

    path: Path
    seconds: float = CHECKPOINT_SECONDS
    resume: bool = False


@dataclass(frozen=True)
class Run:
    """What training gives. ``losses``: [S, 1 + levels], NaN where a level was locked or had no edge."""

    model: SpamModel
    losses: FloatArray
    data: str
    seed: int
    schedule: Schedule

    @property
    def steps(self) -> int:
        return len(self.losses)


def train(
    source: Source,
    schedule: Schedule,
    seed: int = 0,
    ranks: Ranks | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> Run:
    """Trains both networks; the average of the weights over the last updates is what remains.

    Clips and initial weights depend on ``seed`` alone; with a budget in time, how many clips fit into it depends on
    the machine.

    Raises:
        InputError: a run that cannot be resumed.
    """
    ranks = ranks or Ranks(torch.device("cpu"))
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = SpamModel().to(ranks.device)
    key = RunKey(source.name, seed, schedule.minutes, schedule.steps, ranks.size)
    resume = checkpoint is not None and checkpoint.resume
    if ranks.leads and not resume:
        fit_statistics(model, list(islice(Stream(source, seed).in_background(), STATISTICS_CLIPS)))
    ranks.share(list(model.state_dict().values()))
    trainer = Trainer(model, ranks)
    start = Progress.begin()
    if checkpoint is not None and checkpoint.resume:
        start = read_checkpoint(checkpoint.path, key, trainer.state)
    first = STATISTICS_CLIPS + len(start.losses) * ranks.size + ranks.rank
    clips = Stream(source, seed, first, ranks.size).in_background()

    def keep(state: Progress) -> None:
        if checkpoint is not None and ranks.leads:
            write_checkpoint(checkpoint.path, key, trainer.state, state)

    interval = checkpoint.seconds if checkpoint is not None else np.inf
    losses = run_steps(trainer, clips, schedule, ranks, start, keep, interval, progress).losses
    model.load_state_dict(trainer.average.module.state_dict())
    return Run(model.eval(), losses, source.name, seed, schedule)


def run_steps(
    trainer: Trainer,
    clips: Iterable[TrainingClip],
    schedule: Schedule,
    ranks: Ranks,
    start: Progress,
    keep: Callable[[Progress], None],
    interval: float,
    progress: bool = False,
) -> Progress:
    """Learns from one clip after another until the budget is spent; ``keep`` is called every ``interval`` seconds."""
    losses = list(start.losses)
    begin, kept = time.process_time() - start.seconds, time.monotonic()
    supply: Iterator[TrainingClip] = iter(clips)

    def state() -> Progress:
        return Progress(np.array(losses).reshape(-1, LEVELS + 1), time.process_time() - begin)

    total, unit = (schedule.steps, "step") if schedule.steps is not None else (round(60 * schedule.minutes), "s")
    with tqdm(total=total, desc="training", unit=unit, disable=not (progress and ranks.leads)) as bar:
        while (done := ranks.agree(schedule.done(len(losses), time.process_time() - begin))) < 1:
            trainer.learning_rate = schedule.rate(done, len(losses))
            levels = schedule.levels(done)
            by_level = trainer.learn(next(supply), levels)
            losses.append(np.array([by_level.get(level, np.nan) for level in range(LEVELS + 1)]))
            bar.update(min(round(done * total), total) - bar.n)
            bar.set_postfix(levels=levels, loss=f"{sum(by_level.values()):.3f}", steps=len(losses))
            if time.monotonic() - kept >= interval:
                keep(state())
                kept = time.monotonic()
    keep(state())
    return state()
