"""KITTI tracking sequences: ``<seq>/{det/<detector>_<Class>.txt, gt/label_02.txt}``, cars and pedestrians in one clip.

Frames are 0-based. Ground truth has the 17 space-separated columns of the KITTI development kit; detections the 15
comma-separated ones of AB3DMOT: frame, type, x1, y1, x2, y2, score, then the 3-D box, which is not used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spam_model.data.checks import track_order, with_area
from spam_model.errors import FormatError, InputError
from spam_model.values import Candidates, ClipInfo, GroundTruth
from spam_model.values.candidates import FloatArray

CLASSES = ("car", "pedestrian")
FRAME_RATE = 10.0
SIZE = (1242, 375)  # px; a few sequences are up to 18 px smaller, and no file of theirs says so
TRUE_TYPES = {"Car": 0, "Pedestrian": 1}
SIMILAR_TYPES = {"Van": 0, "Person_sitting": 1}  # a hit on one is neither good nor bad, as in KITTI's own evaluation
_DETECTION_COLUMNS = 15
_LABEL_COLUMNS = 17


@dataclass(frozen=True)
class _Row:
    """One line: what kind of object, in which frame, and columns as numbers."""

    line: int
    frame: int
    numbers: tuple[float, ...]


def read_sequence_info(folder: Path) -> ClipInfo:
    """Name and length of a sequence folder; the length is that of the labels and detections in it.

    Raises:
        InputError: there is neither.
        FormatError: a row cannot be read.
    """
    files = [*sorted(folder.glob("det/*.txt")), *sorted(folder.glob("gt/label_02.txt"))]
    last = -1
    for path in files:
        separator = None if path.parent.name == "gt" else ","
        last = max(last, *(int(_number(path, line, row[0])) for line, row in _lines(path, separator)), -1)
    if last < 0:
        raise InputError(f"{folder}: no KITTI sequence; it holds det/<detector>_<Class>.txt or gt/label_02.txt")
    return ClipInfo(folder.resolve().name, last + 1, FRAME_RATE, *SIZE, CLASSES)


def read_detections(folder: Path, info: ClipInfo, detector: str = "pointrcnn", min_score: float = 0.1) -> Candidates:
    """The detections of all classes of one detector; ids count through the files, cars first.

    Scores are logits (PointRCNN's start at −0.847, the logit of its threshold 0.3), s ↦ 1 / (1 + exp(−s)).

    Raises:
        InputError: there is no such file.
        FormatError: a row cannot be read or lies outside the clip; the message names its line.
    """
    frames, boxes, scores, classes = [], [], [], []
    for name, number in TRUE_TYPES.items():
        path = folder / "det" / f"{detector}_{name}.txt"
        rows = [_parsed(path, line, row, info, range(2, 7)) for line, row in _lines(path, ",", _DETECTION_COLUMNS)]
        table = np.array([row.numbers for row in rows]).reshape(-1, 5)
        frames.append(np.array([row.frame for row in rows], np.int64))
        boxes.append(table[:, :4])
        scores.append(1 / (1 + np.exp(-np.clip(table[:, 4], -500, 500))))
        classes.append(np.where(with_area(table[:, :4], path), number, -1))
    class_id, score = np.concatenate(classes), np.concatenate(scores)
    usable = np.flatnonzero((class_id >= 0) & (score >= min_score))
    return Candidates.build(
        info,
        np.concatenate(frames)[usable],
        np.concatenate(boxes)[usable],
        score[usable],
        class_id=class_id[usable],
        id=usable,
    )


def read_ground_truth(path: Path, info: ClipInfo) -> GroundTruth:
    """``label_02.txt``: cars and pedestrians are truth, vans and sitting persons ``ignored``, all else is left out.

    "DontCare" regions are left out as well: they are no boxes of objects, so hits inside them count as false alarms.

    Raises:
        InputError: there is no such file.
        FormatError: a row cannot be read, lies outside the clip, or a track has two boxes in a frame.
    """
    types = TRUE_TYPES | SIMILAR_TYPES
    lines = [(line, row) for line, row in _lines(path, None, _LABEL_COLUMNS) if row[2] in types]
    rows = [_parsed(path, line, row, info, (1, 4, 6, 7, 8, 9)) for line, row in lines]
    table = np.array([row.numbers for row in rows]).reshape(-1, 6)
    solid = np.flatnonzero(with_area(table[:, 2:], path))
    table = table[solid]
    frame = np.array([row.frame for row in rows], np.int64)[solid]
    track = table[:, 0].astype(np.int64)
    order = track_order(track, frame, lambda row: f"{path}, line {rows[solid[row]].line}", first_frame=0)
    kind = np.array([row[2] for _, row in lines], dtype=object)[solid][order]
    return GroundTruth(
        info=info,
        track=track[order],
        frame=frame[order],
        box=table[order, 2:],
        class_id=np.array([types[name] for name in kind], np.int64),
        visibility=_visibility(table[order, 1]),
        ignored=np.array([name in SIMILAR_TYPES for name in kind], bool),
    )


def _visibility(occluded: FloatArray) -> FloatArray:
    """KITTI's 0 fully visible, 1 partly, 2 largely occluded, 3 unknown, as a share. [N] -> [N]."""
    return np.array([1.0, 0.7, 0.3, 1.0])[np.clip(occluded, 0, 3).astype(np.int64)]


def _lines(path: Path, separator: str | None, columns: int = 1) -> list[tuple[int, list[str]]]:
    """Line number and cells of each line that is not blank."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        cells = line.split(separator)
        if not line.strip():
            continue
        if len(cells) < columns:
            raise FormatError(f"{path}, line {number}: {len(cells)} columns, expected {columns}")
        found.append((number, cells))
    return found


def _parsed(path: Path, line: int, cells: list[str], info: ClipInfo, columns: Sequence[int]) -> _Row:
    frame = _number(path, line, cells[0])
    if frame != int(frame) or not 0 <= frame < info.frame_count:
        raise FormatError(
            f"{path}, line {line}: frame {cells[0]} is outside 0 … {info.frame_count - 1}, the frames of {info.name!r}"
        )
    return _Row(line, int(frame), tuple(_number(path, line, cells[column]) for column in columns))


def _number(path: Path, line: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise FormatError(f"{path}, line {line}: {cell!r} is not a number") from error
    if not np.isfinite(value):
        raise FormatError(f"{path}, line {line}: {cell!r} is not a finite number")
    return value
