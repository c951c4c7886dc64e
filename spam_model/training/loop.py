"""Training on simulated clips alone: no human label, a few minutes on a laptop."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from spam_model.graph.model import LEVELS, SpamModel
from spam_model.training.calibration import Calibration, calibrate
from spam_model.training.dataset import TrainingClip, in_background, training_clips
from spam_model.training.loss import focal_loss
from spam_model.training.node_check import NodeCheck, check_nodes
from spam_model.training.rollout import Step, edge_logits, node_logits, rollout
from spam_model.values.candidates import BoolArray, FloatArray

LEARNING_RATE = 2e-3
AVERAGING = 0.995  # per update
WEIGHT_DECAY = 1e-4
UNLOCKED_AFTER = 0.3  # share of the time until all levels are trained
STATISTICS_CLIPS = 24
HELD_OUT_CLIPS = 24
HELD_OUT_SEED = 1_000_003  # added to the seed, so that held-out clips are never trained on
LOWEST_SCORES = (0.1, 0.5)  # the threshold of the candidates that enter varies from clip to clip


@dataclass(frozen=True)
class TrainingResult:
    """``losses``: [S, 1 + levels], NaN where a level was locked or had no edge; ``calibration``: nodes first;
    ``nodes``: the node level against the detector's score."""

    model: SpamModel
    losses: FloatArray
    calibration: tuple[Calibration, ...]
    nodes: tuple[NodeCheck, ...]
    seed: int
    minutes: float

    @property
    def steps(self) -> int:
        return len(self.losses)

    def about(self) -> dict[str, object]:
        """What is stored beside the weights."""
        return {
            "data": "simulated",
            "seed": self.seed,
            "minutes": self.minutes,
            "steps": self.steps,
            "calibration": [asdict(level) for level in self.calibration],
            "nodes": [asdict(row) for row in self.nodes],
            "license": "Apache-2.0",
        }


def train(minutes: float = 10.0, seed: int = 0, progress: bool = False) -> TrainingResult:
    """Trains both networks, then fits the temperatures.

    The levels unlock one after another over the first third, the learning rate falls along a half cosine, and the
    average of the weights over the last updates is what remains. Clips and initial weights depend on ``seed`` alone;
    how many clips fit into the time depends on the machine.

    Args:
        minutes: processor time of the training itself, on one core while a second one makes the clips; so a busy
            machine takes longer, but gives no worse weights.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = SpamModel()
    rng = np.random.default_rng(seed)
    clips = iter(in_background(seed))
    fit_statistics(model, list(islice(clips, STATISTICS_CLIPS)))
    trainer = Trainer(model)
    losses: list[list[float]] = []
    seconds = round(60 * minutes)
    begin = time.process_time()
    with tqdm(total=seconds, desc="training", unit="s", disable=not progress) as bar:
        while (done := (time.process_time() - begin) / (60 * minutes)) < 1:
            trainer.learning_rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * done)) * min(1.0, (len(losses) + 1) / 20)
            unlocked = min(LEVELS, 1 + int(done / UNLOCKED_AFTER * LEVELS))
            by_level = trainer.learn(next(clips), unlocked, float(rng.uniform(*LOWEST_SCORES)))
            losses.append([by_level.get(level, np.nan) for level in range(LEVELS + 1)])
            bar.update(min(round(done * seconds), seconds) - bar.n)
            bar.set_postfix(levels=unlocked, loss=f"{sum(by_level.values()):.3f}")
    model.load_state_dict(trainer.average.module.state_dict())
    model.eval()
    held_out = list(islice(training_clips(seed + HELD_OUT_SEED), HELD_OUT_CLIPS))
    decisions = held_out_logits(model, held_out)
    calibration = fit_temperatures(model, decisions)
    logit, truth = decisions[0]
    nodes = check_nodes(np.concatenate([clip.scene.score for clip in held_out]), logit, truth)
    return TrainingResult(model, np.array(losses), calibration, nodes, seed, minutes)


class Trainer:
    """One optimiser for both networks; every level of every clip is an update of its own."""

    def __init__(self, model: SpamModel) -> None:
        self.model = model
        average = get_ema_multi_avg_fn(AVERAGING)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(model, multi_avg_fn=average)
        self._optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        self.learning_rate = LEARNING_RATE

    def learn(self, clip: TrainingClip, levels: int, lowest_score: float) -> dict[int, float]:
        """Walks the clip up to the unlocked levels; the focal loss of each, 0 being the node level."""
        node_target = torch.from_numpy(clip.node.target)
        losses = {0: self._update(focal_loss(node_logits(self.model, clip.node), node_target))}

        def decide(step: Step) -> FloatArray:
            logits = edge_logits(self.model, step)
            loss = focal_loss(logits, torch.from_numpy(step.target), torch.from_numpy(step.weight))
            losses[step.level] = self._update(loss)
            return self.model.calibrate(logits[-1].detach(), step.level)

        rollout(clip, clip.scene.score >= lowest_score, levels, decide)
        return losses

    def _update(self, loss: Tensor) -> float:
        self._optimizer.param_groups[0]["lr"] = self.learning_rate
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self.average.update_parameters(self.model)
        return loss.item()


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


def held_out_logits(model: SpamModel, clips: list[TrainingClip]) -> dict[int, tuple[FloatArray, BoolArray]]:
    """Logits and truth of the decisions of each level that count in full. 0 is the node level."""
    found: dict[int, list[tuple[FloatArray, BoolArray]]] = {level: [] for level in range(LEVELS + 1)}

    def record(step: Step) -> FloatArray:
        logit = edge_logits(model, step)[-1]
        counts = step.weight == 1
        found[step.level].append((logit.double().numpy()[counts], step.target[counts]))
        return model.calibrate(logit, step.level)

    with torch.no_grad():
        for clip in clips:
            found[0].append((node_logits(model, clip.node)[-1].double().numpy(), clip.node.target))
            rollout(clip, clip.scene.score >= LOWEST_SCORES[0], LEVELS, record)
    empty = [(np.zeros(0), np.zeros(0, bool))]
    return {
        level: (np.concatenate([z for z, _ in empty + parts]), np.concatenate([t for _, t in empty + parts]))
        for level, parts in found.items()
    }


def fit_temperatures(model: SpamModel, decisions: dict[int, tuple[FloatArray, BoolArray]]) -> tuple[Calibration, ...]:
    """Sets the model's temperatures from held-out logits and truth, the node level's first."""
    result: list[Calibration] = []
    for level, (logit, truth) in decisions.items():
        result.append(calibrate(logit, truth, fallback=result[-1].temperature if result else 1.0))
        model.temperature[level] = result[-1].temperature
    return tuple(result)
