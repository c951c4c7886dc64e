"""The files that labels are exported to and scored from, by the name of their format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spam_model.data.coco_video import read_coco_video, write_coco_video
from spam_model.data.motchallenge import read_rows, write_rows
from spam_model.errors import InputError
from spam_model.values import ClipInfo, Labels

QUERIES_SUFFIX = ".queries.json"


@dataclass(frozen=True)
class LabelFormat:
    """How one kind of file is written and read."""

    suffix: str
    write: Callable[[Labels, Path], None]
    read: Callable[[Path, ClipInfo], Labels]


FORMATS = {
    "mot": LabelFormat(".txt", write_rows, read_rows),
    "coco-video": LabelFormat(".json", write_coco_video, read_coco_video),
}


def read_labels(path: Path, info: ClipInfo) -> Labels:
    """Labels of a ``.txt`` (MOTChallenge rows) or ``.json`` (COCO-video) file.

    Raises:
        InputError: there is no such file, or its name ends otherwise.
        FormatError: it does not read as it should.
    """
    for label_format in FORMATS.values():
        if path.suffix == label_format.suffix:
            return label_format.read(path, info)
    raise InputError(f"{path}: labels are read from {' and '.join(f.suffix for f in FORMATS.values())} files")


def find_label_files(folder: Path) -> dict[str, Path]:
    """The label files ``<sequence>.txt`` and ``<sequence>.json`` of a folder, by sequence; questions are none.

    Raises:
        InputError: a sequence has two.
    """
    found: dict[str, Path] = {}
    for label_format in FORMATS.values():
        for path in sorted(folder.glob(f"*{label_format.suffix}")):
            if path.name.endswith(QUERIES_SUFFIX):
                continue
            if path.stem in found:
                raise InputError(f"{folder}: both {found[path.stem].name} and {path.name}; keep the one to be scored")
            found[path.stem] = path
    return found
