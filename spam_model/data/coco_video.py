"""COCO-video JSON: COCO's lists with ``videos`` beside ``images``, in the layout that is known as CocoVID.

That is the one of MMTracking (``CocoVideoDataset``), which converters of BDD100K write as well: an image has
``video_id`` and ``frame_id`` (0-based), an annotation has ``instance_id``, its track. (TAO says ``frame_index``
and ``track_id``.) Boxes are 0-based x, y, w, h in px. Beyond the layout, an annotation has ``score``, as in COCO's
results, and ``occluded``, true for a filled gap. Candidate ids and uncertainties have no place in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import numpy as np
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from spam_model import geometry
from spam_model.data.checks import track_order, with_area
from spam_model.errors import FormatError
from spam_model.storage import read_bytes, write_atomically
from spam_model.values import ClipInfo, Labels

Id = Annotated[int, Field(ge=0, le=2**53)]


class _Item(Protocol):
    @property
    def id(self) -> int: ...


_I = TypeVar("_I", bound=_Item)


@dataclass(frozen=True, slots=True)
class _Video:
    id: Id
    name: str


@dataclass(frozen=True, slots=True)
class _Category:
    id: Id
    name: str


@dataclass(frozen=True, slots=True)
class _Image:
    id: Id
    video_id: Id
    frame_id: Id


@dataclass(frozen=True, slots=True)
class _Annotation:
    image_id: Id
    category_id: Id
    instance_id: Id
    bbox: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
    score: FiniteFloat = 1.0
    occluded: bool = False


@dataclass(frozen=True, slots=True)
class _Document:
    videos: list[_Video]
    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation]


_DOCUMENT = TypeAdapter(_Document)


def format_coco_video(labels: Labels) -> str:
    """One video with all its frames, an item a line; boxes to 0.001 px, scores to 0.0001, as in ``format_rows``."""
    info = labels.info
    size = {"width": info.width, "height": info.height}
    lists = {
        "videos": iter([{"id": 1, "name": info.name, "fps": info.frame_rate, **size}]),
        "categories": ({"id": number, "name": name} for number, name in enumerate(info.class_names, start=1)),
        "images": (
            {"id": number, "video_id": 1, "frame_id": number - 1, "file_name": f"{info.name}/img1/{number:06d}.jpg"}
            | size
            for number in range(1, info.frame_count + 1)
        ),
        "annotations": _annotations(labels),
    }
    parts = [
        f"{json.dumps(kind)}: [\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in items) + "\n]"
        for kind, items in lists.items()
    ]
    return "{" + ",\n".join(parts) + "}\n"


def _annotations(labels: Labels) -> Iterator[dict[str, object]]:
    extent = geometry.sizes(labels.box)
    columns = (
        labels.frame + 1,
        labels.class_id + 1,
        labels.track,
        np.round(np.concatenate([labels.box[:, :2], extent], axis=1), 3),
        np.round(extent.prod(axis=1), 3),
        np.round(labels.score, 4),
        labels.occluded,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for number, (image, category, track, box, area, score, occluded) in enumerate(rows, start=1):
        yield {
            "id": number,
            "image_id": image,
            "video_id": 1,
            "category_id": category,
            "instance_id": track,
            "bbox": box,
            "area": area,
            "iscrowd": 0,
            "score": score,
            "occluded": occluded,
        }


def write_coco_video(labels: Labels, path: Path) -> None:
    """Writes ``format_coco_video`` whole or not at all; makes the folder where it is missing."""
    write_atomically(path, format_coco_video(labels).encode())


def read_coco_video(path: Path, info: ClipInfo) -> Labels:
    """The annotations of the video named ``info.name``; other videos of the file are passed over.

    Categories become classes by their names; a clip of one class takes a single category under any name. Boxes without
    an area are left out. Candidate ids are −1, uncertainties 0.

    Raises:
        InputError: there is no such file.
        FormatError: not this layout, an id that leads nowhere, a frame outside the clip, a category that is none of
            the clip's classes, or two boxes of a track in a frame; the message names the place.
    """
    document = _parse(path)
    video = [item.id for item in document.videos if item.name == info.name]
    if len(video) != 1:
        names = ", ".join(item.name for item in document.videos) or "none"
        raise FormatError(f"{path}, videos: expected one named {info.name!r}, found {names}")
    images = _by_id(document.images, path, "images")
    categories = _by_id(document.categories, path, "categories")
    class_of = {name: number for number, name in enumerate(info.class_names)}
    if len(class_of) == len(categories) == 1:
        class_of = {item.name: 0 for item in categories.values()}

    def place(index: int) -> str:
        return f"{path}, annotations[{index}]"

    cells = []  # (place in the file, track, frame, class)
    for index, item in enumerate(document.annotations):
        if item.image_id not in images:
            raise FormatError(f"{place(index)}: there is no image {item.image_id}")
        image = images[item.image_id]
        if image.video_id != video[0]:
            continue
        if image.frame_id >= info.frame_count:
            last = info.frame_count - 1
            raise FormatError(f"{place(index)}: frame {image.frame_id} is outside 0 … {last}, those of {info.name!r}")
        if item.category_id not in categories:
            raise FormatError(f"{place(index)}: there is no category {item.category_id}")
        name = categories[item.category_id].name
        if name not in class_of:
            raise FormatError(f"{place(index)}: category {name!r} is none of {', '.join(info.class_names)}")
        cells.append((index, item.instance_id, image.frame_id, class_of[name]))
    row, track, frame, class_id = np.array(cells, np.int64).reshape(-1, 4).T
    box = np.array([document.annotations[index].bbox for index in row]).reshape(-1, 4)
    box[:, 2:] += box[:, :2]
    kept = np.flatnonzero(with_area(box, path))
    order = kept[track_order(track[kept], frame[kept], lambda index: place(int(row[kept[index]])), first_frame=0)]
    return Labels.build(
        info,
        track[order],
        frame[order],
        box[order],
        class_id=class_id[order],
        score=np.array([document.annotations[index].score for index in row[order]]),
        occluded=np.array([document.annotations[index].occluded for index in row[order]], bool),
    )


def _parse(path: Path) -> _Document:
    try:
        return _DOCUMENT.validate_json(read_bytes(path))
    except ValidationError as error:
        first = error.errors()[0]
        at = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise FormatError(f"{path}{at and ', '}{at[1:]}: {first['msg']}") from error


def _by_id(items: Sequence[_I], path: Path, kind: str) -> dict[int, _I]:
    found: dict[int, _I] = {}
    for index, item in enumerate(items):
        if item.id in found:
            raise FormatError(f"{path}, {kind}[{index}]: id {item.id} occurs twice")
        found[item.id] = item
    return found
