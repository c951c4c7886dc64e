"""Training of a re-identification network: softmax over the identities and a triplet loss, resumable.

Batch k is a function of seed and k, so a run that goes on from its checkpoint equals one that was never stopped.
"""

from __future__ import annotations

import io
import json
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from spam_model.appearance.crops import Crops
from spam_model.appearance.recipes import Recipe
from spam_model.appearance.reid_batches import batches
from spam_model.appearance.reid_data import IdentityCrops
from spam_model.appearance.reid_losses import batch_hard_triplet
from spam_model.appearance.resnet import ReidNetwork, normalised
from spam_model.errors import DeviceError, FormatError, InputError
from spam_model.evaluation.appearance_auc import area_under_curve
from spam_model.storage import write_atomically
from spam_model.values.candidates import FloatArray, IntArray
from spam_model.weights_only import read_weights_only

CHECKPOINT_SECONDS = 60.0
MOST_COMPARED = 600  # crops, in the figure for identities that were held out
_EMBEDDED = 32  # crops at a time


@dataclass(frozen=True)
class Budget:
    """What a run may take; without either, the recipe's epochs. ``minutes`` are of the wall clock."""

    minutes: float | None = None
    steps: int | None = None

    def done(self, steps: int, seconds: float, recipe_steps: int) -> float:
        """Share of the budget."""
        if self.steps is None and self.minutes is not None:
            return seconds / (60 * self.minutes)
        return steps / (self.steps or recipe_steps)


@dataclass(frozen=True)
class Checkpoint:
    """Where a run is written down every minute and at its end, and whether it goes on from there."""

    path: Path
    resume: bool = False


@dataclass(frozen=True)
class ReidRun:
    """What training gives. ``losses`` [S, 2]: softmax and triplet at each step."""

    network: ReidNetwork
    losses: FloatArray
    seconds: float


def train_reid(
    network: ReidNetwork,
    crops: IdentityCrops,
    recipe: Recipe,
    budget: Budget,
    *,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
) -> ReidRun:
    """Trains a network, where it is, to tell the identities of ``crops`` apart.

    Args:
        network: of the recipe's configuration; it is changed.
        crops: of the size that the network takes.
        recipe: how.
        budget: how long; the recipe's schedule is shrunk to it.
        seed: of the classifier and the batches.
        checkpoint: where the run is written down.

    Raises:
        InputError: a run that cannot be resumed, or fewer identities than a batch takes.
        FormatError: the checkpoint does not read as it should.
        DeviceError: a batch does not fit into the GPU's memory.
    """
    torch.manual_seed(seed)
    trainer = _Trainer(network, crops.identities, recipe)
    key = json.dumps({"data": crops.name, "crops": len(crops.identity), "seed": seed} | asdict(recipe) | asdict(budget))
    progress = _Progress([], 0.0)
    if checkpoint is not None and checkpoint.resume:
        progress = _read(checkpoint.path, key, trainer)
    losses, begin = progress.losses, time.monotonic() - progress.seconds

    def keep() -> None:
        if checkpoint is not None:
            _write(checkpoint.path, key, trainer, _Progress(losses, time.monotonic() - begin))

    recipe_steps = max(1, round(recipe.epochs * len(crops.identity) / recipe.batch))
    kept = time.monotonic()
    with (
        closing(batches(crops, recipe, seed, len(losses))) as supply,
        tqdm(total=100, desc="training", unit="%", disable=None) as bar,
    ):
        while (done := budget.done(len(losses), time.monotonic() - begin, recipe_steps)) < 1:
            losses.append(trainer.learn(*next(supply), done))
            bar.update(int(100 * done) - bar.n)
            bar.set_postfix(softmax=f"{losses[-1][0]:.3f}", triplet=f"{losses[-1][1]:.3f}", steps=len(losses))
            if time.monotonic() - kept >= CHECKPOINT_SECONDS:
                keep()
                kept = time.monotonic()
    keep()
    return ReidRun(network.eval(), np.array(losses).reshape(-1, 2), time.monotonic() - begin)


def separation(network: ReidNetwork, crops: IdentityCrops) -> float:
    """The AUC over pairs of evenly chosen crops: how often two of one identity are more alike than two of different."""
    rows = np.unique(np.linspace(0, len(crops.identity) - 1, MOST_COMPARED).round().astype(np.int64))
    device = next(network.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), _EMBEDDED):
            part = np.stack([crops.read(int(row)) for row in rows[start : start + _EMBEDDED]])
            parts.append(network.embed(normalised(torch.from_numpy(part).to(device))).cpu().numpy())
    embedding, identity = np.concatenate(parts), crops.identity[rows]
    first, second = np.triu_indices(len(rows), 1)
    return area_under_curve((embedding @ embedding.T)[first, second], identity[first] == identity[second]).auc


class _Trainer:
    """What changes while training: the network, the classifier, the optimiser's state."""

    def __init__(self, network: ReidNetwork, identities: int, recipe: Recipe) -> None:
        device = next(network.parameters()).device
        self._network = network.train()
        self._classifier = nn.Linear(network.config.dimension, identities, bias=False).to(device)
        nn.init.normal_(self._classifier.weight, std=1e-3)
        self._recipe = recipe
        parameters = [*network.parameters(), *self._classifier.parameters()]
        self._optimizer = torch.optim.Adam(parameters, weight_decay=recipe.weight_decay, amsgrad=recipe.amsgrad)

    def learn(self, crops: Crops, identity: IntArray, done: float) -> tuple[float, float]:
        """One step; softmax and triplet loss. ``done``: share of the budget."""
        recipe, device = self._recipe, self._classifier.weight.device
        for name, part in self._network.named_children():
            if name not in ("fc", "neck"):
                learns = done * recipe.epochs >= recipe.head_only
                part.train(learns).requires_grad_(learns)
        self._optimizer.param_groups[0]["lr"] = recipe.rate(done)
        self._optimizer.zero_grad()
        target = torch.from_numpy(identity).to(device)
        try:
            features = self._network(normalised(torch.from_numpy(crops).to(device)))  # [B, D]
            logits = self._classifier(self._network.neck(features))  # [B, identities]
            softmax = functional.cross_entropy(logits, target, label_smoothing=recipe.label_smoothing)
            triplet = batch_hard_triplet(features, target, recipe.margin)
            (softmax + recipe.triplet_weight * triplet).backward()  # type: ignore[no-untyped-call]
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"a batch of {recipe.batch} crops does not fit into the GPU's memory; lower --identities"
            ) from error
        self._optimizer.step()
        return softmax.item(), triplet.item()

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {"network": self._network, "classifier": self._classifier, "optimizer": self._optimizer}

    def state(self) -> dict[str, object]:
        return {name: part.state_dict() for name, part in self._parts().items()}

    def restore(self, state: dict[str, dict[str, object]]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])


@dataclass(frozen=True)
class _Progress:
    losses: list[tuple[float, float]]
    seconds: float


def _write(path: Path, key: str, trainer: _Trainer, progress: _Progress) -> None:
    buffer = io.BytesIO()
    torch.save({"key": key, "losses": progress.losses, "seconds": progress.seconds, "state": trainer.state()}, buffer)
    write_atomically(path, buffer.getvalue())


def _read(path: Path, key: str, trainer: _Trainer) -> _Progress:
    """Puts the trainer where it was."""
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint to resume from; leave out --resume to start anew")
    content = read_weights_only(path)
    try:
        stored: dict[str, object] = json.loads(content["key"])
        for name, value in json.loads(key).items():
            if stored.get(name) != value:
                raise InputError(
                    f"{path}: made with {name} {stored.get(name)}, not {value}; give the same, or leave out --resume"
                )
        trainer.restore(content["state"])
        return _Progress([(float(a), float(b)) for a, b in content["losses"]], float(content["seconds"]))
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: not a whole checkpoint ({error!r}); start anew without --resume") from error
