"""Images with boxes in COCO's layout: ``images``, ``annotations`` (bbox x, y, w, h; iscrowd) and ``categories``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from spam_model.detector_training.samples import Boxes, ImageFiles
from spam_model.errors import FormatError, InputError


def read_coco(file: Path, images: Path, class_names: tuple[str, ...] = ("person",), weight: float = 1.0) -> ImageFiles:
    """The boxes of these classes, by name; those of crowds are ignored. Images without a box are background.

    Args:
        file: the JSON.
        images: folder in which its file names lie.

    Raises:
        InputError: there is no such file, or it has none of the classes.
        FormatError: it does not read as it should.
    """
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        place = {category["id"]: category["name"] for category in document["categories"]}
        wanted = {id: class_names.index(name) for id, name in place.items() if name in class_names}
        by_image: dict[Any, list[tuple[list[float], int, bool]]] = {entry["id"]: [] for entry in document["images"]}
        for item in document["annotations"]:
            if item["category_id"] in wanted:
                x, y, width, height = (float(value) for value in item["bbox"])
                row = ([x, y, x + width, y + height], wanted[item["category_id"]], bool(item.get("iscrowd", 0)))
                if width > 0 and height > 0:
                    by_image[item["image_id"]].append(row)
        paths = [images / entry["file_name"] for entry in document["images"]]
        boxes = [_boxes(by_image[entry["id"]]) for entry in document["images"]]
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{file}: not COCO's layout of images, annotations and categories ({error!r})") from error
    if not wanted:
        raise InputError(
            f"{file}: has none of the classes {', '.join(class_names)}; it has {', '.join(place.values())}"
        )
    return ImageFiles(file.stem, class_names, paths, boxes, weight)


def _boxes(rows: list[tuple[list[float], int, bool]]) -> Boxes:
    box = np.array([row[0] for row in rows]).reshape(-1, 4)
    class_id = np.array([row[1] for row in rows], np.int64)
    crowd = np.array([row[2] for row in rows], bool)
    return Boxes.build(box[~crowd], class_id=class_id[~crowd], ignore=box[crowd])
