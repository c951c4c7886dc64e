"""Weights that ``spam-model train-detector`` and ``finetune-detector`` write: safetensors that name their network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spam_model.errors import FormatError
from spam_model.storage import pack, read_bytes, unpack, write_atomically

KIND = "detector"


def write_trained(
    path: Path, architecture: str, network: nn.Module, about: dict[str, object], *, half: bool = False
) -> None:
    """Writes the network's state; ``half``: in float16, at half the size.

    Args:
        architecture: the detector's name, ``small`` for one; the file loads into no other.
        about: data, seed, figures; as JSON in the file's metadata.
    """
    dtype = np.float16 if half else np.float32
    arrays = {name: tensor.cpu().numpy().astype(dtype) for name, tensor in _numbers(network).items()}
    write_atomically(path, pack(KIND, arrays, {"architecture": architecture, "about": json.dumps(about)}))


def digest_of(network: nn.Module) -> str:
    """SHA-256 of the network's weights."""
    total = hashlib.sha256()
    for value in network.state_dict().values():
        total.update(value.cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def load_trained(path: Path, architecture: str, network: nn.Module) -> dict[str, object]:
    """Puts the weights into ``network``; what the file says about them.

    Raises:
        InputError: there is no such file.
        FormatError: weights of another detector, or that are not numbers; says which.
    """
    try:
        arrays, metadata = unpack(KIND, read_bytes(path))
        about: dict[str, object] = json.loads(metadata.get("about", "{}"))
    except (FormatError, ValueError) as error:
        raise FormatError(f"{path}: {error}") from error
    if metadata.get("architecture") != architecture:
        raise FormatError(f"{path}: weights of {metadata.get('architecture')}, not of {architecture}")
    expected = {name: tuple(tensor.shape) for name, tensor in _numbers(network).items()}
    found = {name: array.shape for name, array in arrays.items()}
    if expected != found:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise FormatError(f"{path}: weights of another {architecture}, they differ in {', '.join(wrong[:5])}")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise FormatError(f"{path}: weights that are not numbers; train anew")
    numbers = {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
    network.load_state_dict(network.state_dict() | numbers)
    return about


def _numbers(network: nn.Module) -> dict[str, Tensor]:
    """The state, without how many batches the norms saw."""
    return {name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()}
