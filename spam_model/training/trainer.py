"""One optimiser for both networks; every level of every clip is an update of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spam_model.graph.model import SpamModel
from spam_model.training.dataset import TrainingClip
from spam_model.training.loss import focal_loss
from spam_model.training.ranks import Ranks
from spam_model.training.rollout import Step, edge_logits, node_logits, rollout
from spam_model.training.state import TrainingState
from spam_model.values.candidates import FloatArray

AVERAGING = 0.995  # per update
WEIGHT_DECAY = 1e-4


class Trainer:
    """Holds what changes while training: the weights, their moving average, the optimiser's state.

    Attributes:
        average: the exponential moving average of the model, which is what training gives.
        learning_rate: of the next updates.
    """

    def __init__(self, model: SpamModel, ranks: Ranks | None = None) -> None:
        self._ranks = ranks or Ranks(model.device)
        self.model = model
        average = get_ema_multi_avg_fn(AVERAGING)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(model, multi_avg_fn=average)
        self._optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
        self.learning_rate = 0.0

    def learn(self, clip: TrainingClip, levels: int) -> dict[int, float]:
        """Walks the clip up to the unlocked levels; the focal loss of each that has an edge, 0 being the node level."""
        device = self.model.device
        losses: dict[int, float] = {}
        met = 1  # the level at which the processes meet next

        def target_and_weight(part: Step) -> tuple[Tensor, Tensor]:
            return torch.from_numpy(part.target).to(device), torch.from_numpy(part.weight).to(device)

        def decide(step: Step) -> FloatArray:
            nonlocal met
            for _ in range(met, step.level):
                self._update(self.model.association, None)
            met = step.level + 1
            logits = edge_logits(self.model, step)
            losses[step.level] = self._update(self.model.association, focal_loss(logits, *target_and_weight(step)))
            return self.model.calibrate(logits[-1].detach(), step.level)

        node_target, node_weight = (torch.from_numpy(a).to(device) for a in (clip.node.target, clip.node.weight))
        node_loss = focal_loss(node_logits(self.model, clip.node), node_target, node_weight)
        losses[0] = self._update(self.model.node, node_loss)
        rollout(clip, clip.scene.score >= clip.lowest_score, levels, decide)
        for _ in range(met, levels + 1):
            self._update(self.model.association, None)
        return losses

    def _update(self, network: nn.Module, loss: Tensor | None) -> float:
        """One step down the mean gradient of all processes; without a loss, this one only takes part."""
        parameters = list(network.parameters())
        self._optimizer.zero_grad()
        if loss is not None:
            loss.backward()  # type: ignore[no-untyped-call]
        if self._ranks.average_gradients(parameters, loss is not None):
            self._optimizer.param_groups[0]["lr"] = self.learning_rate
            nn.utils.clip_grad_norm_(parameters, 1.0)
            self._optimizer.step()
            self.average.update_parameters(self.model)
        return float("nan") if loss is None else loss.item()

    @property
    def state(self) -> TrainingState:
        """All that changes."""
        return TrainingState(self.model, self.average, self._optimizer)
