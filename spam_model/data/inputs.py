"""What a person may point a command at: a candidates file, or a MOTChallenge sequence folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from spam_model.data.motchallenge import read_detections, read_ground_truth, read_sequence_info
from spam_model.errors import FormatError, InputError
from spam_model.storage import constraints_from_bytes, queries_from_bytes, read_bytes, read_candidates
from spam_model.values import Candidates, Constraints, GroundTruth, Query

_T = TypeVar("_T")


def read_input(path: Path, detections: str = "det") -> Candidates:
    """Candidates of a ``.safetensors`` file, or of ``<folder>/det/<detections>.txt``.

    Raises:
        InputError: there is nothing readable at ``path``.
    """
    if path.is_file():
        return _naming(path, read_candidates)
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    return read_detections(path / "det" / f"{detections}.txt", read_sequence_info(path))


def read_truth(folder: Path) -> GroundTruth:
    """``gt/gt.txt`` of a MOTChallenge sequence folder.

    Raises:
        InputError: there is none.
    """
    return read_ground_truth(folder / "gt" / "gt.txt", read_sequence_info(folder))


def read_constraints(path: Path) -> Constraints:
    """People's answers, from JSON.

    Raises:
        InputError: there is no such file, or it is none of ours.
    """
    return _naming(path, lambda file: constraints_from_bytes(read_bytes(file)))


def read_queries(path: Path) -> tuple[Query, ...]:
    """Ranked questions, from JSON.

    Raises:
        InputError: there is no such file, or it is none of ours.
    """
    return _naming(path, lambda file: queries_from_bytes(read_bytes(file)))


def _naming(path: Path, read: Callable[[Path], _T]) -> _T:
    """Reads a file of ours; what is wrong with its content is said of ``path``."""
    try:
        return read(path)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
