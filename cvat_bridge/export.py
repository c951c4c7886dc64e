"""A task's tracks as files: people's and ours as they stand in CVAT, every frame interpolated as CVAT shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cvat_sdk.core.client import Client
from cvat_sdk.core.exceptions import BackgroundRequestException
from cvat_sdk.core.proxies.types import Location

from cvat_bridge.connection import as_server_error
from cvat_bridge.frames import TaskFrames
from cvat_bridge.readback import labels_in_cvat
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Annotations
from spam_model.data.coco_video import write_coco_video
from spam_model.errors import InputError, ServerError
from spam_model.storage import write_atomically
from spam_model.values import Labels

SERVER_FORMAT = "cvat:"


@dataclass(frozen=True)
class ExportReport:
    """``files`` were written; ``notes`` say what of the task has no place in them. No counts of a server's format."""

    task_id: int
    format: str
    files: tuple[str, ...]
    tracks: int | None = None
    boxes: int | None = None
    notes: tuple[str, ...] = ()


def export_task(
    client: Client, task_id: int, out: Path, format_name: str, frame_rate: float, overwrite: bool = False
) -> ExportReport:
    """Writes a task's tracks below the folder ``out``.

    Args:
        format_name: ``mot``, ``coco``, or ``cvat:NAME`` for a format that the server writes.

    Raises:
        InputError: no such format, or the files are there already and are not to be overwritten.
        ServerError: CVAT cannot export it.
    """
    if format_name.startswith(SERVER_FORMAT):
        return _by_server(client, task_id, out, format_name.removeprefix(SERVER_FORMAT), overwrite)
    if format_name not in WRITERS:
        raise InputError(f"--format {format_name}: give {', '.join(WRITERS)}, or cvat:NAME of one of the server's")
    labels, notes = task_labels(CvatReader(client), task_id, frame_rate)
    suffix, write = WRITERS[format_name]
    path = out / f"{file_stem(labels.info.name, task_id)}{suffix}"
    _refuse_overwriting(path, overwrite)
    files = write(labels, path)
    return ExportReport(task_id, format_name, tuple(map(str, files)), len(labels.track_ids), len(labels), tuple(notes))


def task_labels(reader: CvatReader, task_id: int, frame_rate: float) -> tuple[Labels, list[str]]:
    """All rectangle tracks of a task on frames that are not deleted, and notes on what is left out."""
    specs = reader.labels(task_id)
    classes = tuple(label.name for label in sorted(specs, key=lambda label: label.id) if label.type != "tag")
    frames = TaskFrames(reader, task_id, frame_rate, classes)
    jobs = reader.jobs(task_id)
    annotations = {job.id: reader.annotations(job.id) for job in jobs}
    labels = labels_in_cvat(frames.info, jobs, annotations, specs)
    shown = ~np.isin(labels.frame, list(frames.deleted))
    return labels.take(np.flatnonzero(shown)), _notes(list(annotations.values()))


def write_mot_folder(labels: Labels, folder: Path) -> list[Path]:
    """``gt/gt.txt``, ``gt/labels.txt`` and ``seqinfo.ini``: a MOTChallenge sequence without its images.

    Rows are ``frame,id,x,y,w,h,1,class,visibility``, frames, boxes and classes from 1; visibility is 0 where CVAT says
    occluded, as in CVAT's own MOT format, which also has ``labels.txt``.
    """
    info = labels.info
    order = np.lexsort((labels.track, labels.frame))
    box = labels.box[order]
    columns = zip(
        (labels.frame[order] + 1).tolist(),
        labels.track[order].tolist(),
        np.concatenate([box[:, :2] + 1, box[:, 2:] - box[:, :2]], axis=1).tolist(),
        (labels.class_id[order] + 1).tolist(),
        (~labels.occluded[order]).astype(int).tolist(),
        strict=True,
    )
    rows = (f"{f},{t},{','.join(f'{v:.3f}' for v in b)},1,{c},{visible}\n" for f, t, b, c, visible in columns)
    texts = {
        folder / "gt" / "gt.txt": "".join(rows),
        folder / "gt" / "labels.txt": "".join(f"{name}\n" for name in info.class_names),
        folder / "seqinfo.ini": f"[Sequence]\nname={folder.name}\nframeRate={info.frame_rate:g}\n"
        f"seqLength={info.frame_count}\nimWidth={info.width}\nimHeight={info.height}\n",
    }
    for path, text in texts.items():
        write_atomically(path, text.encode())
    return list(texts)


def _write_coco(labels: Labels, path: Path) -> list[Path]:
    write_coco_video(labels, path)
    return [path]


WRITERS: dict[str, tuple[str, Callable[[Labels, Path], list[Path]]]] = {
    "mot": ("", write_mot_folder),
    "coco": (".json", _write_coco),
}


def _by_server(client: Client, task_id: int, out: Path, name: str, overwrite: bool) -> ExportReport:
    """The server writes the file; its annotations only, no images."""
    task = CvatReader(client).task(task_id)
    slug = re.sub(r"[^\w.]+", "-", name.lower()).strip("-")
    path = out / f"{file_stem(task.name, task_id)}.{slug}.zip"
    _refuse_overwriting(path, overwrite)
    out.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        client.tasks.retrieve(task_id).export_dataset(name, path, include_images=False, location=Location.LOCAL)
    except BackgroundRequestException as error:
        raise ServerError(f"CVAT could not export task {task_id} as {name!r}: {error}") from error
    except Exception as error:
        raise as_server_error(error, f"export task {task_id} as {name!r}") from error
    return ExportReport(task_id, f"{SERVER_FORMAT}{name}", (str(path),))


def file_stem(name: str, task_id: int) -> str:
    """The task's name where it can be a file's, with the id, by which two tasks of one name are told apart."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")
    return f"{plain or 'task'}-{task_id}"


def _refuse_overwriting(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise InputError(f"{path} is there already: give another folder, or --overwrite")


def _notes(annotations: list[Annotations]) -> list[str]:
    tracks = [track for standing in annotations for track in standing.tracks]
    other = sum(any(shape.type != "rectangle" for shape in track.shapes) for track in tracks)
    rotated = sum(any(shape.rotation for shape in track.shapes) for track in tracks)
    shapes = sum(len(standing.shapes) for standing in annotations)
    tags = sum(len(standing.tags) for standing in annotations)
    counts = {
        "tracks of other shapes than rectangles are left out": other,
        "tracks have rotated rectangles, which are written upright": rotated,
        "single shapes are no tracks and are left out": shapes,
        "tags are left out": tags,
    }
    return [f"{count} {text}" for text, count in counts.items() if count]
