"""One optimiser for both networks; every level of every clip is an update of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spam_model.graph.model import SpamModel
from spam_model.storage import Arrays
from spam_model.training.dataset import TrainingClip
from spam_model.training.loss import focal_loss
from spam_model.training.ranks import Ranks
from spam_model.training.rollout import Step, edge_logits, node_logits, rollout
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

    def state(self) -> Arrays:
        """All that changes, as arrays: ``model.*``, ``average.*`` and ``optimizer.<parameter>.<name>``."""
        optimizer = self._optimizer.state_dict()["state"]
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        tensors |= {
            f"optimizer.{index}.{name}": tensor for index, state in optimizer.items() for name, tensor in state.items()
        }
        return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}

    def restore(self, arrays: Arrays) -> None:
        """Puts back what ``state`` gave.

        Raises:
            RuntimeError, KeyError, ValueError: the arrays are of another model.
        """
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
        for name, array in arrays.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = torch.from_numpy(array.copy())
        for module, part in ((self.model, "model"), (self.average, "average")):
            shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
            module.load_state_dict({name: tensor.reshape(shapes[name]) for name, tensor in parts[part].items()})
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = tensor.reshape(()) if key == "step" else tensor
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": state})
