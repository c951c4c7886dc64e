"""Which device the model runs on: ``auto``, ``cpu`` or ``cuda``; a device that is not there is an error."""

from __future__ import annotations

import torch

from spam_model.errors import DeviceError


def resolve_device(name: str = "auto") -> torch.device:
    """``auto`` takes CUDA where there is one, else the CPU.

    Raises:
        DeviceError: a GPU is asked for and there is none, or the name is no device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(f"--device {name}: no CUDA GPU is visible here; use --device cpu, or auto")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"--device {name}: not a device; use auto, cpu, cuda or cuda:N") from error
