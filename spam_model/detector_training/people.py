"""Folders of images of people: ``images/`` and ``labels/labels.csv``, as in the development data's ``people``.

Columns: image, x1, y1, x2, y2 (px), identity, source (human or teacher), score. Where a set has boxes of a teacher,
or is named among the incomplete ones, nothing is known of the rest of its images.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from spam_model.data.clip import IMAGE_SUFFIXES
from spam_model.detector_training.samples import Boxes, ImageFiles
from spam_model.errors import FormatError, InputError

INCOMPLETE = ("tud_inria_street",)
NO_SCENES = ("market1501_train_crops",)
SURE_TEACHER = 0.6  # teacher boxes of a lower score are neither objects nor background


def read_people_folder(folder: Path, weight: float = 1.0) -> ImageFiles:
    """One set.

    Raises:
        InputError: there is no ``labels/labels.csv`` or no image.
        FormatError: a row does not read; the message names its line.
    """
    table = folder / "labels" / "labels.csv"
    if not table.is_file():
        raise InputError(f"{table}: no such file; a set of people has images/ and labels/labels.csv")
    images = sorted(path for path in (folder / "images").glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise InputError(f"{folder / 'images'}: no image here")
    rows: dict[str, list[list[float]]] = {}
    has_teacher = False
    with table.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                box = [float(row[column]) for column in ("x1", "y1", "x2", "y2")]
                teacher = row["source"] == "teacher"
                rows.setdefault(row["image"], []).append([*box, float(row["score"]) if teacher else 1.0])
            except (KeyError, TypeError, ValueError) as error:
                raise FormatError(f"{table}, line {number}: not a box ({error!r})") from error
            has_teacher |= teacher
    complete = not has_teacher and folder.name not in INCOMPLETE
    boxes = [_boxes(np.array(rows.get(path.name, [])).reshape(-1, 5), complete) for path in images]
    return ImageFiles(folder.name, ("person",), images, boxes, weight)


def find_people(root: Path) -> list[Path]:
    """The sets in ``root``, or ``root`` itself; those of cut-out crops left out.

    Raises:
        InputError: there is none.
    """
    found = [root] if (root / "labels").is_dir() else sorted(p.parent for p in root.glob("*/labels") if p.is_dir())
    found = [folder for folder in found if folder.name not in NO_SCENES]
    if not found:
        raise InputError(f"{root}: neither a set with images/ and labels/labels.csv nor a folder of such sets")
    return found


def _boxes(rows: np.ndarray, complete: bool) -> Boxes:
    """``rows`` [N, 5]: box and score."""
    solid = (rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])
    rows = rows[solid]
    if complete:
        return Boxes.build(rows[:, :4])
    sure = rows[:, 4] >= SURE_TEACHER
    return Boxes.build(rows[sure, :4], known=rows[sure, :4], ignore=rows[~sure, :4])
