"""MOTChallenge folders and rows: ``<seq>/{img1/, video.*, det/det.txt, gt/gt.txt, seqinfo.ini}``.

Files hold 1-based frames and 1-based x, y, w, h; values hold 0-based frames and x1, y1, x2, y2 (x1 = x − 1). The clip
is named after its folder, as TrackEval does, not after the ``name`` in seqinfo.ini (``MOT17-05``, ``MOT17-05-FRCNN``).
"""

from __future__ import annotations

import configparser
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from spam_model.data.checks import track_order, with_area
from spam_model.errors import FormatError, InputError
from spam_model.storage import write_atomically
from spam_model.values import Candidates, ClipInfo, GroundTruth, Labels
from spam_model.values.candidates import FloatArray, IntArray

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v"})
PEDESTRIAN = 1
DISTRACTORS = (2, 7, 8, 12)  # person on vehicle, static person, distractor, reflection
LAST_CLASS = 13
LARGEST_ID = 2**53  # up to which a float holds every whole number


@dataclass(frozen=True)
class SequenceFolder:
    """What lies in a sequence folder; None for what does not."""

    path: Path
    name: str
    images: Path | None
    video: Path | None
    detections: Path | None
    ground_truth: Path | None
    info_file: Path | None


def find_sequence(folder: Path) -> SequenceFolder:
    """Looks for frames, detections and ground truth.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; a sequence is a folder with det/det.txt, img1/ or video.*")
    videos = sorted(p for p in folder.glob("video.*") if p.suffix.lower() in VIDEO_SUFFIXES)
    images = folder / "img1"

    def existing(path: Path) -> Path | None:
        return path if path.is_file() else None

    return SequenceFolder(
        path=folder,
        name=folder.resolve().name,
        images=images if images.is_dir() else None,
        video=videos[0] if videos else None,
        detections=existing(folder / "det" / "det.txt"),
        ground_truth=existing(folder / "gt" / "gt.txt"),
        info_file=existing(folder / "seqinfo.ini"),
    )


def read_sequence_info(folder: Path) -> ClipInfo:
    """Frame count, frame rate and size from seqinfo.ini.

    Raises:
        InputError: there is no seqinfo.ini.
        FormatError: it lacks a field, or a field is no number.
    """
    path = folder / "seqinfo.ini"
    if not path.is_file():
        raise InputError(f"{path}: no such file; a MOTChallenge folder names frame rate, length and size there")
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
        section = parser["Sequence"]
        return ClipInfo(
            name=folder.resolve().name,
            frame_count=int(section["seqLength"]),
            frame_rate=float(section["frameRate"]),
            width=int(section["imWidth"]),
            height=int(section["imHeight"]),
        )
    except (configparser.Error, KeyError, ValueError) as error:
        raise FormatError(
            f"{path}: {error}; it needs [Sequence] with seqLength, frameRate, imWidth and imHeight"
        ) from error


def read_detections(path: Path, info: ClipInfo, min_score: float = 0.1) -> Candidates:
    """Rows ``frame, -1, x, y, w, h, score, …`` as candidates; a candidate's id is its 0-based row in the file.

    Rows without an area, and rows of a score below ``min_score``, are left out. Where any score of the file lies
    outside 0 … 1 (margins of an SVM, say), all of them go through the monotone map of ``scores_to_unit`` first.

    Raises:
        InputError: there is no such file.
        FormatError: a row cannot be read or lies outside the clip; the message names its line.
    """
    table = _read_table(path, info, columns=range(7, 11))
    box = _boxes(table)
    score = scores_to_unit(table[:, 6])
    rows = np.flatnonzero(with_area(box, path) & (score >= min_score))
    return Candidates.build(info, _frames(table)[rows], box[rows], score[rows], id=rows)


def scores_to_unit(score: FloatArray) -> FloatArray:
    """Scores of a file as values in 0 … 1, [N] -> [N], order kept.

    Scores that lie in 0 … 1 stay as they are. Else s ↦ 1 / (1 + exp(−(s − m) / d)), with m the median of the file and
    d = IQR / 1.35 (the standard deviation, were they normal; 1 where the quartiles coincide).
    """
    if len(score) == 0 or (score.min() >= 0 and score.max() <= 1):
        return score
    low, middle, high = np.percentile(score, [25, 50, 75])
    spread = (high - low) / 1.35 or 1.0
    log.info("scores lie in %.3g … %.3g, mapped to 0 … 1 around their median %.3g", score.min(), score.max(), middle)
    return np.asarray(1 / (1 + np.exp(-np.clip((score - middle) / spread, -500, 500))))


def read_ground_truth(path: Path, info: ClipInfo) -> GroundTruth:
    """Ground truth of MOT15 (10 columns) or of MOT16, MOT17, MOT20 and DanceTrack (9 columns).

    9 columns: pedestrians (class 1, flag 1) are truth. Distractors (classes 2, 7, 8, 12) are ``ignored``: a hit on one
    is neither good nor bad. All others (vehicles, occluders) are ``ignored`` with class −1: a hit on one is a false
    alarm, but TrackEval lets them take part in the matching that finds hits on distractors. 10 columns: no classes;
    rows of flag 0 are left out.

    Raises:
        InputError: there is no such file.
        FormatError: a row cannot be read, lies outside the clip, or a track has two boxes in a frame.
    """
    table = _read_table(path, info, columns=(9, 10))
    count = len(table)
    ignored = np.zeros(count, bool)
    class_id = np.zeros(count, np.int64)
    visibility = np.ones(count)
    kept = np.ones(count, bool)
    if table.shape[1] == 10:
        kept = table[:, 6] != 0
    else:
        kind = table[:, 7].astype(np.int64)
        _require((kind >= 1) & (kind <= LAST_CLASS), path, f"the class (column 8) must be 1 … {LAST_CLASS}")
        pedestrian = (kind == PEDESTRIAN) & (table[:, 6] != 0)
        ignored = ~pedestrian
        class_id = np.where(pedestrian | np.isin(kind, DISTRACTORS), 0, -1)
        visibility = np.clip(table[:, 8], 0.0, 1.0)
    box = _boxes(table)
    rows = np.flatnonzero(kept & with_area(box, path))
    track, frame = table[rows, 1].astype(np.int64), _frames(table)[rows]
    order = track_order(track, frame, lambda row: _line(path, rows[row]))
    rows = rows[order]
    return GroundTruth(
        info=info,
        track=track[order],
        frame=frame[order],
        box=box[rows],
        class_id=class_id[rows],
        visibility=visibility[rows],
        ignored=ignored[rows],
    )


def read_rows(path: Path, info: ClipInfo) -> Labels:
    """A tracker's result rows ``frame, id, x, y, w, h, score, …`` as labels.

    Of a clip of several classes, column 8 is the class's place in ``info.class_names``, from 1 (as in CVAT's MOT
    files); −1, or no such column, means the first. What such rows cannot say (candidate ids, gaps filled, uncertainty)
    is −1, false and 0.

    Raises:
        InputError: there is no such file.
        FormatError: a row cannot be read, lies outside the clip, names a class that the clip does not have, or a track
            has two boxes in a frame; the message names its line.
    """
    table = _read_table(path, info, columns=range(7, 11))
    box = _boxes(table)
    rows = np.flatnonzero(with_area(box, path))
    track, frame = table[rows, 1].astype(np.int64), _frames(table)[rows]
    order = track_order(track, frame, lambda row: _line(path, rows[row]))
    rows = rows[order]
    class_id = _classes(table, path, info)[rows]
    return Labels.build(info, track[order], frame[order], box[rows], class_id=class_id, score=table[rows, 6])


def format_rows(labels: Labels) -> str:
    """Result rows ``frame,id,x,y,w,h,score,class,-1,-1``, sorted by frame, then track; boxes to 0.001 px.

    ``class`` is −1 where the clip has one class, else its place in ``info.class_names``, from 1.
    """
    class_number = labels.class_id + 1 if len(labels.info.class_names) > 1 else np.full(len(labels), -1)
    order = np.lexsort((labels.track, labels.frame))
    x, y = labels.box[order, 0] + 1, labels.box[order, 1] + 1
    width, height = (labels.box[order, 2:] - labels.box[order, :2]).T
    frame, track, score = labels.frame[order] + 1, labels.track[order], labels.score[order]
    columns = zip(frame, track, x, y, width, height, score, class_number[order], strict=True)
    return "".join(
        f"{frame},{track},{x:.3f},{y:.3f},{w:.3f},{h:.3f},{s:.4f},{c},-1,-1\n"
        for frame, track, x, y, w, h, s, c in columns
    )


def write_rows(labels: Labels, path: Path) -> None:
    """Writes ``format_rows`` whole or not at all; makes the folder where it is missing."""
    write_atomically(path, format_rows(labels).encode("ascii"))


def _read_table(path: Path, info: ClipInfo, columns: Sequence[int]) -> FloatArray:
    """[N, C] of the rows; blank lines are allowed at the end only, so that row i is line i + 1."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not a text file; expected comma-separated MOTChallenge rows") from error
    if not lines:
        return np.zeros((0, columns[-1]))
    rows = [line.split(",") for line in lines]
    width = len(rows[0])
    counts = " or ".join(str(count) for count in columns)
    for number, row in enumerate(rows, start=1):
        if len(row) not in columns or len(row) != width:
            raise FormatError(
                f"{path}, line {number}: {len(row)} columns, expected {counts}, the same on every line, with commas"
            )
    try:
        table = np.array(rows, dtype=np.float64)
    except ValueError as error:
        number = next(i for i, row in enumerate(rows, start=1) if not all(_is_number(cell) for cell in row))
        raise FormatError(f"{path}, line {number}: not a row of numbers: {lines[number - 1]!r}") from error
    _require(np.isfinite(table).all(axis=1), path, "a value is not a finite number")
    whole = np.equal(table[:, :2], np.round(table[:, :2])) & (np.abs(table[:, :2]) <= LARGEST_ID)
    _require(whole.all(axis=1), path, "frame and id must be whole numbers")
    in_clip = (table[:, 0] >= 1) & (table[:, 0] <= info.frame_count)
    _require(in_clip, path, f"the frame is outside 1 … {info.frame_count}, the length of {info.name!r}")
    return table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _require(good: ArrayLike, path: Path, message: str) -> None:
    """``good`` is [N] bool, one per line."""
    bad = np.flatnonzero(~np.asarray(good, dtype=bool))
    if len(bad):
        raise FormatError(f"{_line(path, bad[0])}: {message}")


def _line(path: Path, row: int) -> str:
    return f"{path}, line {row + 1}"


def _frames(table: FloatArray) -> IntArray:
    return table[:, 0].astype(np.int64) - 1


def _boxes(table: FloatArray) -> FloatArray:
    corner = table[:, 2:4] - 1.0
    return np.concatenate([corner, corner + table[:, 4:6]], axis=1)


def _classes(table: FloatArray, path: Path, info: ClipInfo) -> IntArray:
    """[N], from column 8 of a result file."""
    if table.shape[1] < 8 or len(info.class_names) == 1:
        return np.zeros(len(table), np.int64)
    number = table[:, 7]
    count = len(info.class_names)
    _require(np.isin(number, [-1, *range(1, count + 1)]), path, f"the class (column 8) must be 1 … {count}, or -1")
    return np.maximum(number.astype(np.int64) - 1, 0)
