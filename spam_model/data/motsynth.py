"""MOTSynth: ground truth of rendered pedestrians (Fabbri et al., ICCV 2021), in the layouts of its official release.

    <root>/mot_annotations/<seq>/{gt/gt.txt, seqinfo.ini}     MOTSynth_mot_annotations.zip
    <root>/annotations/<seq>.json                             MOTSynth_coco_annotations.zip

``gt.txt`` has 12 columns: frame, id, x, y, w, h, flag, class, visibility and the 3-D position of the feet. Its frames
count from 0, unlike those of MOTChallenge, its x and y from 1. Class 8 with flag 0 is what the COCO file calls a crowd:
pedestrians that no camera could tell apart, ignored here. The COCO files say the same with ``ped_id`` and ``iscrowd``
of an annotation and ``frame_n`` of its image, x and y from 0; visibility is the share of visible key points.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from spam_model.data.checks import track_order, with_area
from spam_model.data.motchallenge import read_sequence_info
from spam_model.errors import FormatError, InputError
from spam_model.values import ClipInfo, GroundTruth
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

COLUMNS = 12
PEDESTRIAN = 1
VISIBLE = 2  # of a COCO key point: labelled and visible


def find_motsynth(root: Path) -> tuple[Path, ...]:
    """The sequences below ``root``: folders of ``mot_annotations``, or else files of ``annotations``, sorted.

    Raises:
        InputError: there is none.
    """
    folders = sorted(path.parent.parent for path in root.glob("mot_annotations/*/gt/gt.txt"))
    found = folders or sorted(root.glob("annotations/*.json"))
    if not found:
        raise InputError(
            f"{root}: no MOTSynth here; expected mot_annotations/<seq>/gt/gt.txt or annotations/<seq>.json"
        )
    return tuple(found)


def read_motsynth(path: Path) -> GroundTruth:
    """One sequence, a path of ``find_motsynth``.

    Raises:
        InputError: a file is missing.
        FormatError: a file does not read as it should.
    """
    return _read_mot(path) if path.is_dir() else _read_coco(path)


def _read_mot(folder: Path) -> GroundTruth:
    info, path = read_sequence_info(folder), folder / "gt" / "gt.txt"
    try:
        table = np.loadtxt(path, delimiter=",", ndmin=2)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise FormatError(f"{path}: {error}") from error
    if table.shape[1] != COLUMNS:
        raise FormatError(f"{path}: {table.shape[1]} columns; MOTSynth has {COLUMNS}")
    frame, track, kind = table[:, [0, 1, 7]].astype(np.int64).T
    corner = table[:, 2:4] - 1.0
    box = np.concatenate([corner, corner + table[:, 4:6]], axis=1)
    return _truth(path, info, track, frame, box, table[:, 8], (kind != PEDESTRIAN) | (table[:, 6] == 0))


def _read_coco(path: Path) -> GroundTruth:
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        about, images, annotations = document["info"], document["images"], document["annotations"]
        info = ClipInfo(
            name=path.stem,
            frame_count=int(about["sequence_length"]),
            frame_rate=float(about["fps"]),
            width=int(about["img_width"]),
            height=int(about["img_height"]),
        )
        frame_of = {image["id"]: int(image["frame_n"]) for image in images}
        frame = np.array([frame_of[item["image_id"]] for item in annotations], np.int64)
        track = np.array([item["ped_id"] for item in annotations], np.int64)
        box = np.array([item["bbox"] for item in annotations], np.float64).reshape(len(annotations), 4)
        visibility = np.array([_share_visible(item["keypoints"]) for item in annotations])
        crowd = np.array([item["iscrowd"] for item in annotations], bool)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: not a COCO file of MOTSynth ({error!r})") from error
    box[:, 2:] += box[:, :2]
    return _truth(path, info, track, frame, box, visibility, crowd)


def _share_visible(keypoints: list[float]) -> float:
    """``keypoints``: x, y, visibility of each in turn."""
    flags = keypoints[2::3]
    return sum(flag == VISIBLE for flag in flags) / len(flags) if flags else 1.0


def _truth(
    path: Path,
    info: ClipInfo,
    track: IntArray,
    frame: IntArray,
    box: FloatArray,
    visibility: FloatArray,
    ignored: BoolArray,
) -> GroundTruth:
    """Sorted by track and frame, boxes without an area left out."""
    if not np.isfinite(box).all():
        raise FormatError(f"{path}: a box is not a number")
    outside = (frame < 0) | (frame >= info.frame_count)
    if outside.any():
        raise FormatError(f"{path}: frame {frame[outside][0]} is outside 0 … {info.frame_count - 1}")
    rows = np.flatnonzero(with_area(box, path))
    rows = rows[track_order(track[rows], frame[rows], lambda _: str(path), first_frame=0)]
    return GroundTruth(
        info=info,
        track=track[rows],
        frame=frame[rows],
        box=box[rows],
        class_id=np.zeros(len(rows), np.int64),
        visibility=np.clip(visibility[rows], 0.0, 1.0),
        ignored=ignored[rows],
    )
