"""PyTorch files of others, read without running anything in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from spam_model.errors import FormatError

_SCALAR: Any = np.float64(0).__reduce__()[0]
_NUMPY_SCALARS: list[Any] = [  # with which checkpoints note their own scores: numbers, no code
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64)),
]


def read_weights_only(path: Path) -> Any:
    """What a PyTorch file holds: tensors, numbers and text in containers.

    Raises:
        FormatError: it does not read so.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY_SCALARS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken file leads the restricted unpickler to
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(
            f"{path}: does not read as weights only ({reason}); save its state_dict alone, best as .safetensors"
        ) from error
