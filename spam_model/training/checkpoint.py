"""What a training run needs to go on where it was killed: one file, written whole or not at all.

Tensors (weights, their average, the optimiser's state) as safetensors, counters as JSON in its metadata; no pickle.
Nothing random has a state: clip k of a seed is a function of both, so a counter is enough.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spam_model.errors import FormatError, InputError
from spam_model.graph.model import LEVELS
from spam_model.storage import Arrays, pack, read_bytes, unpack, write_atomically
from spam_model.training.state import TrainingState
from spam_model.values.candidates import FloatArray

_KIND = "checkpoint"
_LOSSES = "losses"


@dataclass(frozen=True)
class RunKey:
    """What must be the same for a run to go on.

    ``minutes`` and ``steps`` are the budget, because the learning rate follows it; ``processes`` share out the clips.
    """

    data: str
    seed: int
    minutes: float
    steps: int | None
    processes: int


@dataclass(frozen=True)
class Progress:
    """How far a run is. ``losses``: [S, 1 + levels], a row for each step; ``seconds``: of training so far."""

    losses: FloatArray
    seconds: float

    @classmethod
    def begin(cls) -> Progress:
        return cls(np.zeros((0, LEVELS + 1)), 0.0)


def write_checkpoint(path: Path, key: RunKey, state: TrainingState, progress: Progress) -> None:
    arrays = state.arrays() | {_LOSSES: progress.losses}
    metadata = {"key": json.dumps(asdict(key)), "seconds": json.dumps(progress.seconds)}
    write_atomically(path, pack(_KIND, arrays, metadata))


def read_checkpoint(path: Path, key: RunKey, state: TrainingState) -> Progress:
    """Puts the trainer where it was.

    Raises:
        InputError: there is no checkpoint, or it is of a run with other settings.
        FormatError: the file does not read as it should.
    """
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint to resume from; leave out --resume to start anew")
    arrays, metadata = unpack(_KIND, read_bytes(path))
    try:
        stored: dict[str, Any] = json.loads(metadata["key"])
        seconds = float(json.loads(metadata["seconds"]))
        losses = np.asarray(arrays.pop(_LOSSES))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: not a whole checkpoint ({error!r}); start anew without --resume") from error
    for name, value in asdict(key).items():
        if stored.get(name) != value:
            raise InputError(
                f"{path}: made with {name} {stored.get(name)}, not {value}; give the same, or leave out --resume"
            )
    _restore(path, state, arrays)
    return Progress(losses, seconds)


def _restore(path: Path, state: TrainingState, arrays: Arrays) -> None:
    try:
        state.restore(arrays)
    except (RuntimeError, KeyError, ValueError) as error:
        raise FormatError(f"{path}: a checkpoint of another model; start anew without --resume") from error
