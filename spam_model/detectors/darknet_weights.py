"""Darknet's own files: a .cfg that lists layers, and a .weights file of float32 in the order of its convolutions.

Batch normalisation is folded into the convolution before it, as at inference: w · γ / √(σ² + ε), β − μ · γ / √(σ² + ε).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spam_model.errors import FormatError, InputError

_EPSILON = 1e-6  # Darknet's, under the root


@dataclass(frozen=True)
class Section:
    """``[kind]`` of a .cfg, with its ``key=value`` lines."""

    kind: str
    options: dict[str, str]

    def integer(self, key: str, default: int | None = None) -> int:
        """Raises: FormatError: no such key and no default, or no whole number."""
        text = self.options.get(key)
        if text is None and default is not None:
            return default
        try:
            return int(text or "")
        except ValueError as error:
            raise FormatError(f"[{self.kind}] needs a whole number as {key}, got {text!r}") from error

    def numbers(self, key: str) -> tuple[float, ...]:
        """Comma-separated numbers. Raises: FormatError: no such key, or something else in it."""
        try:
            return tuple(float(part) for part in self.options[key].split(","))
        except (KeyError, ValueError) as error:
            raise FormatError(f"[{self.kind}] needs numbers as {key}, got {self.options.get(key)!r}") from error


@dataclass(frozen=True)
class Convolution:
    """weight [O, I, K, K] and bias [O] float32, normalisation folded in."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def read_cfg(path: Path) -> list[Section]:
    """The sections in order, ``[net]`` first.

    Raises:
        InputError: there is no such file.
        FormatError: it is not a .cfg of Darknet.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; fetch it with `spam-model fetch-weights`") from error
    sections: list[Section] = []
    for number, line in enumerate(lines, start=1):
        text = line.split("#")[0].strip()
        if not text:
            continue
        if text.startswith("[") and text.endswith("]"):
            sections.append(Section(text[1:-1].strip(), {}))
        elif "=" in text and sections:
            key, _, value = text.partition("=")
            sections[-1].options[key.strip()] = value.strip()
        else:
            raise FormatError(f"{path}, line {number}: neither [section] nor key=value: {text!r}")
    if not sections or sections[0].kind not in ("net", "network"):
        raise FormatError(f"{path}: not a Darknet configuration; it begins with [net]")
    return sections


class WeightsReader:
    """Gives the convolutions of a .weights file one after another."""

    def __init__(self, path: Path) -> None:
        """Raises: InputError: there is no such file. FormatError: it is too short for a header."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read {path}: {error.strerror}; fetch it with `spam-model fetch-weights`"
            ) from error
        self._path = path
        if len(data) < 20:
            raise FormatError(f"{path}: {len(data)} bytes are no weights of Darknet; fetch them again")
        major, minor = np.frombuffer(data, "<i4", 2)
        header = 20 if major * 10 + minor >= 2 else 16  # how many images were seen has 8 bytes from version 0.2 on
        if (len(data) - header) % 4:
            raise FormatError(f"{path}: {len(data)} bytes are not whole float32 numbers; fetch it again")
        self._values = np.frombuffer(data, "<f4", offset=header)
        self._next = 0

    def convolution(self, inputs: int, outputs: int, size: int, *, normalised: bool) -> Convolution:
        """The next one. Raises: FormatError: the file ends within it, or is another's."""
        bias = self._take(outputs)
        if normalised:
            gamma, mean, variance = (self._take(outputs) for _ in range(3))
            if variance.min() < 0:
                raise FormatError(
                    f"{self._path}: a variance is negative where its configuration has a normalisation; "
                    "the two do not belong together"
                )
            factor = gamma / np.sqrt(variance + _EPSILON)
            bias = bias - mean * factor
        else:
            factor = np.ones(outputs)
        weight = self._take(outputs * inputs * size * size).reshape(outputs, inputs, size, size)
        return Convolution(np.asarray(weight * factor[:, None, None, None], np.float32), np.asarray(bias, np.float32))

    def finish(self) -> None:
        """Raises: FormatError: something is left, so these weights belong to another configuration."""
        left = len(self._values) - self._next
        if left:
            raise FormatError(
                f"{self._path}: has {left} numbers more than its configuration takes; the two do not belong together"
            )

    def _take(self, count: int) -> NDArray[np.float64]:
        end = self._next + count
        if end > len(self._values):
            raise FormatError(
                f"{self._path}: has {len(self._values)} numbers, its configuration takes {end} or more; "
                "it is cut short, or the two do not belong together"
            )
        values = self._values[self._next : end].astype(np.float64)
        self._next = end
        return values
