"""Training by several processes, started by ``torchrun``: each learns from other clips, all from the mean gradient.

    torchrun --nproc-per-node 2 -m spam_model.cli train …

Clips differ in their graphs, and a clip may lack a level that another one has. So gradients are not averaged behind
the scenes as by ``DistributedDataParallel``, which waits for every process at every level, but here, in the open: all
processes meet at every level, and the mean is over those that have an edge there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from spam_model.device import resolve_device


@dataclass(frozen=True)
class Ranks:
    """This process among all: number ``rank`` of ``size``, on ``device``."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """The one that writes files and shows progress."""
        return self.rank == 0

    def in_words(self) -> str:
        how = f", {self.size} processes ({dist.get_backend()})" if self.size > 1 else ""
        return f"{self.device}{how}"

    def agree(self, value: float) -> float:
        """The first process's value, everywhere."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, src=0)
        return float(shared.item())

    def share(self, tensors: Sequence[Tensor]) -> None:
        """The first process's tensors, everywhere, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def average_gradients(self, parameters: Sequence[torch.nn.Parameter], has_loss: bool) -> bool:
        """The mean gradient over the processes that have one, in place; false where none has.

        Every process calls it, with the same parameters. The sum is the same to the bit in all of them.
        """
        if self.size == 1:
            return has_loss
        flat = [
            torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters
        ]  # a process without a loss adds nothing
        total = torch.cat([*flat, torch.tensor([float(has_loss)], device=self.device)])
        dist.all_reduce(total)
        count = total[-1].item()
        if count == 0:
            return False
        mean = total[:-1] / count
        begin = 0
        for parameter in parameters:
            parameter.grad = mean[begin : begin + parameter.numel()].view_as(parameter)
            begin += parameter.numel()
        return True


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Joins the processes that ``torchrun`` started, or is alone.

    The processes talk by NCCL where they have a GPU each, else by Gloo.

    Raises:
        DeviceError: the device is not there.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks(resolve_device(device))
        return
    chosen = resolve_device(device)
    if chosen.type == "cuda":
        chosen = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Ranks(chosen, dist.get_rank(), size)
    finally:
        dist.destroy_process_group()
