"""Which device the model runs on: ``auto``, ``cpu`` or ``cuda``; a device that is not there is an error."""

from __future__ import annotations

import re

import torch

from spam_model.errors import DeviceError


def resolve_device(name: str = "auto") -> torch.device:
    """``auto`` takes CUDA where there is one, else the CPU.

    Raises:
        DeviceError: a GPU is asked for and there is none, or the name is no device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if re.fullmatch(r"cpu|cuda(:\d+)?", name) is None:
        raise DeviceError(f"--device {name}: not a device; use auto, cpu, cuda or cuda:N")
    device = torch.device(name)
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise DeviceError(f"--device {name}: {count or 'no'} CUDA GPU is visible here; use --device cpu, or auto")
    return device
