"""What a person may point a command at: a candidates file, or a MOTChallenge sequence folder."""

from __future__ import annotations

from pathlib import Path

from spam_model.data.motchallenge import read_detections, read_ground_truth, read_sequence_info
from spam_model.errors import InputError
from spam_model.storage import read_candidates
from spam_model.values import Candidates, GroundTruth


def read_input(path: Path, detections: str = "det") -> Candidates:
    """Candidates of a ``.safetensors`` file, or of ``<folder>/det/<detections>.txt``.

    Raises:
        InputError: there is nothing readable at ``path``.
    """
    if path.is_file():
        return read_candidates(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    return read_detections(path / "det" / f"{detections}.txt", read_sequence_info(path))


def read_truth(folder: Path) -> GroundTruth:
    """``gt/gt.txt`` of a MOTChallenge sequence folder.

    Raises:
        InputError: there is none.
    """
    return read_ground_truth(folder / "gt" / "gt.txt", read_sequence_info(folder))
