"""What changes while a network is trained, as arrays: weights, their moving average, the optimiser's state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spam_model.storage import Arrays


@dataclass(frozen=True)
class TrainingState:
    """The parts of a trainer that a checkpoint holds."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer

    def arrays(self) -> Arrays:
        """``model.*``, ``average.*`` and ``optimizer.<parameter>.<name>``."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
        return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}

    def restore(self, arrays: Arrays) -> None:
        """Puts back what ``arrays`` gave.

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
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
