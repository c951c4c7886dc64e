"""Weights of re-identification networks: our own files, and checkpoints as others publish them.

Ours are safetensors with the configuration in their metadata. Of others', ``.safetensors`` or PyTorch files (read as
weights only, nothing in them is executed) with a ResNet's parameters under torchvision's names will do, whatever
prefix stands before them (``module.``, ``backbone.``, ``base.``). Classifiers and statistics that come along are left
out; a batch normalisation after pooling and Torchreid's reducing layer are recognised by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from spam_model.appearance.resnet import ReidConfig, ReidNetwork, Variant
from spam_model.errors import FormatError, InputError
from spam_model.storage import pack, read_bytes, unpack, write_atomically
from spam_model.weights_only import read_weights_only

KIND = "reid-weights"
_CONFIG = TypeAdapter(ReidConfig)
_ROOT = "layer1.0.conv1.weight"
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network")
_NECK = re.compile(r"(?:.*\.)?(?:neck|bnneck|bottleneck)(?:\.0)?\.(weight|bias|running_mean|running_var)")
_LEFT_OUT = re.compile(
    r"(?:.*\.)?(?:(?:classifier|id_classifier|logits|fc)\.(?:\w+\.)*(?:weight|bias)|heads?\.weight"
    r"|pixel_mean|pixel_std|num_batches_tracked)"
)
_REDUCTION = re.compile(r"fc\.[01]\.(?:weight|bias|running_mean|running_var)")
_SHOWN = 3


def save_reid(path: Path, network: ReidNetwork, about: Mapping[str, object]) -> None:
    """Writes weights and configuration. ``about``: what else the file should say of itself (recipe, data, seed)."""
    arrays = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    metadata = {"config": json.dumps(asdict(network.config)), "about": json.dumps(dict(about))}
    write_atomically(path, pack(KIND, arrays, metadata))


def load_reid(path: Path, variant: Variant | None = None) -> ReidNetwork:
    """A network for inference, on the CPU.

    Args:
        path: a file of ours, or another's checkpoint.
        variant: which ResNet it should hold; whichever it holds by default.

    Raises:
        InputError: there is no such file.
        FormatError: it does not read safely, or is not of this architecture; what is missing or too much is named.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such weights; train some with spam-model train-reid")
    if _is_ours(path):
        config, state = _read_ours(path)
    else:
        config, state = _recognise(path, _read_tensors(path))
    if variant is not None and config.variant != variant:
        raise FormatError(f"{path}: holds a {config.variant}, not a {variant}")
    network = ReidNetwork(config)
    _check(path, network, state)
    network.load_state_dict(state, strict=False)  # lacks num_batches_tracked at most
    return network.eval()


def with_config(network: ReidNetwork, config: ReidConfig) -> ReidNetwork:
    """A network of another configuration with all the weights that it has in common with this one, the rest new."""
    other = ReidNetwork(config)
    own = other.state_dict()
    given = network.state_dict()
    common = {name for name in own if name in given and given[name].shape == own[name].shape}
    other.load_state_dict({name: given[name] for name in common}, strict=False)
    return other


def _is_ours(path: Path) -> bool:
    if path.suffix != ".safetensors":
        return False
    try:
        with safe_open(path, "pt") as file:
            return "cvat-spam" in (file.metadata() or {})
    except SafetensorError as error:
        raise FormatError(f"{path}: not a safetensors file ({error})") from error


def _read_ours(path: Path) -> tuple[ReidConfig, dict[str, Tensor]]:
    try:
        arrays, metadata = unpack(KIND, read_bytes(path))
        config = _CONFIG.validate_json(metadata["config"])
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    except (KeyError, ValidationError) as error:
        raise FormatError(f"{path}: says no configuration that this release knows ({error})") from error
    return config, {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint, out of whatever dictionary they are wrapped in."""
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    content = read_weights_only(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    entries = content.items() if isinstance(content, dict) else ()
    tensors = {str(name): value for name, value in entries if isinstance(value, Tensor)}
    if not tensors:
        raise FormatError(f"{path}: holds no named weights")
    return tensors


def _recognise(path: Path, tensors: Mapping[str, Tensor]) -> tuple[ReidConfig, dict[str, Tensor]]:
    """The configuration that the names tell, and the weights under our names."""
    roots = [name for name in tensors if name == _ROOT or name.endswith(f".{_ROOT}")]
    if len(roots) != 1:
        raise FormatError(
            f"{path}: not a ResNet with torchvision's names: {_ROOT} is in it {len(roots)} times; "
            f"it begins with {', '.join(list(tensors)[:_SHOWN])}"
        )
    prefix = roots[0].removesuffix(_ROOT)
    state: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        own, neck = name.removeprefix(prefix), _NECK.fullmatch(name)
        if neck is not None:
            state[f"neck.{neck[1]}"] = tensor.flatten()
        elif _REDUCTION.fullmatch(own) or not _LEFT_OUT.fullmatch(name):
            state[own] = tensor
    config = ReidConfig(
        variant="resnet50" if "layer1.0.conv3.weight" in state else "resnet18",
        neck="neck.weight" in state,
        reduction=len(state["fc.0.weight"]) if "fc.0.weight" in state else 0,
    )
    return config, state


def _check(path: Path, network: ReidNetwork, state: Mapping[str, Tensor]) -> None:
    """That names and shapes are those of the network, but for counters that inference does not read."""
    own = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    given = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    shapes = [
        f"{name} is {list(given[name].shape)}, not {list(tensor.shape)}"
        for name, tensor in own.items()
        if name in given and given[name].shape != tensor.shape
    ]
    faults = {
        "lacks": [name for name in own if name not in given],
        "has too much": [name for name in given if name not in own],
        "of other shapes": shapes,
    }
    said = "; ".join(f"{what} {_some(names)}" for what, names in faults.items() if names)
    if said:
        raise FormatError(f"{path}: not the weights of a {network.config.variant} for re-identification: {said}")


def _some(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
