"""What a teacher and a frozen detector said of canvases, kept on disk under a digest of all that it depends on.

Distilling again, with another head or for longer, then looks at no image; what a killed run had done is not done again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spam_model.errors import FormatError
from spam_model.storage import pack, unpack, write_atomically

_KIND = "distillation cache"


class ArrayCache:
    """Float16 arrays in a folder, one file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str, compute: Callable[[], NDArray[np.floating]]) -> NDArray[np.float16]:
        """The array of ``key``, see ``digest``; computed and kept where it is missing or damaged."""
        path = self._folder / f"{key}.safetensors"
        if path.is_file():
            try:
                return np.asarray(unpack(_KIND, path.read_bytes())[0]["array"], np.float16)
            except (FormatError, KeyError):
                path.unlink()
        array = compute().astype(np.float16)
        write_atomically(path, pack(_KIND, {"array": array}, {}))
        return array


def digest(*parts: bytes | str | int | float) -> str:
    """SHA-256 of the parts, told apart by their lengths."""
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode()
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()
