"""Annotations of a job in the database: one row an object, with its shapes as JSON."""

import json
import re
import sqlite3
from collections.abc import Iterable
from typing import Any

from cvat_bridge.embedded.server import database
from cvat_bridge.embedded.server.annotation_checks import KINDS, Annotations
from cvat_bridge.embedded.server.replies import refuse
from cvat_bridge.embedded.server.tracks import empty_annotations

Item = dict[str, Any]
_CVAT_TABLES = {
    "tags": "engine_labeledimage",
    "shapes": "engine_labeledshape",
    "tracks": "engine_labeledtrack",
    "keyframes": "engine_trackedshape",
}


class LabelAttributes:
    """Attribute specifications of the labels of a task: which may stand where, and what an absent one reads as."""

    def __init__(self, connection: sqlite3.Connection, holder: tuple[str, int]) -> None:
        self._specs: dict[int, list[sqlite3.Row]] = {
            row["id"]: []
            for row in database.rows(connection, f"SELECT id FROM labels WHERE {holder[0]} = ?", holder[1])
        }
        query = f"SELECT a.* FROM attributes a JOIN labels l ON l.id = a.label_id WHERE l.{holder[0]} = ? ORDER BY a.id"
        for row in database.rows(connection, query, holder[1]):
            self._specs[row["label_id"]].append(row)

    def _of(self, label_id: int, mutable: bool | None) -> list[sqlite3.Row]:
        specs = self._specs[label_id]
        return specs if mutable is None else [spec for spec in specs if bool(spec["mutable"]) == mutable]

    def check_label(self, label_id: int) -> None:
        if label_id not in self._specs:
            refuse([f"label_id `{label_id}` is invalid"])

    def check(self, items: Iterable[Item], label_id: int, mutable: bool | None) -> None:
        """A track has the immutable attributes, its shapes the mutable ones, tags and single shapes have all."""
        allowed = {spec["id"] for spec in self._of(label_id, mutable)}
        for item in items:
            for attribute in item["attributes"]:
                if attribute["spec_id"] not in allowed:
                    refuse([f"spec_id `{attribute['spec_id']}` is invalid"])

    def defaults(self, label_id: int, mutable: bool | None) -> dict[int, str]:
        return {spec["id"]: spec["default_value"] for spec in self._of(label_id, mutable)}


def _filled(attributes: list[Item], defaults: dict[int, str]) -> list[Item]:
    given = {attribute["spec_id"] for attribute in attributes}
    return attributes + [{"spec_id": key, "value": value} for key, value in defaults.items() if key not in given]


def read(connection: sqlite3.Connection, job_id: int, labels: LabelAttributes) -> Annotations:
    """All objects of a job; attributes that were not given read as inherited or default values."""
    found = empty_annotations()
    query = "SELECT kind, id, body FROM annotations WHERE job_id = ? ORDER BY id"
    for row in database.rows(connection, query, job_id):
        item = {"id": row["id"], **json.loads(row["body"])}
        if row["kind"] == "tracks":
            _fill_track(item, labels)
        else:
            item["attributes"] = _filled(item["attributes"], labels.defaults(item["label_id"], None))
        found[row["kind"]].append(item)
    for kind in ("tags", "shapes"):
        found[kind].sort(key=lambda item: int(item["frame"]))
    return found


def _fill_track(track: Item, labels: LabelAttributes) -> None:
    track["attributes"] = _filled(track["attributes"], labels.defaults(track["label_id"], False))
    track["shapes"].sort(key=lambda shape: int(shape["frame"]))
    inherited = labels.defaults(track["label_id"], True)
    for shape in track["shapes"]:
        shape["attributes"] = _filled(shape["attributes"], inherited)
        inherited = {attribute["spec_id"]: attribute["value"] for attribute in shape["attributes"]}


def create(connection: sqlite3.Connection, job_id: int, data: Annotations, labels: LabelAttributes) -> Annotations:
    """Stores checked objects; those without an id get one, in ``data`` too, which is the reply."""
    for kind in KINDS:
        for item in data[kind]:
            labels.check_label(item["label_id"])
            labels.check([item], item["label_id"], False if kind == "tracks" else None)
        if kind == "tracks":
            for track in data[kind]:
                labels.check(track["shapes"], track["label_id"], True)
                _begin_with_a_shape(track)
            _give_ids(connection, "keyframes", [shape for track in data[kind] for shape in track["shapes"]])
        _give_ids(connection, kind, data[kind])
        _insert(connection, job_id, kind, data[kind])
    return data


def _begin_with_a_shape(track: Item) -> None:
    """Track and first shape share their frame: an earlier shape moves the track, a later one gets one before it."""
    first = min(track["shapes"], key=lambda shape: int(shape["frame"]))
    if first["frame"] < track["frame"]:
        track["frame"] = first["frame"]
    elif first["frame"] > track["frame"]:
        missing = {name: value for name, value in first.items() if name != "id"}
        track["shapes"].append({**missing, "frame": track["frame"], "outside": True})


def _give_ids(connection: sqlite3.Connection, kind: str, items: list[Item]) -> None:
    given = [item["id"] for item in items if item.get("id") is not None]
    if given:
        database.skip_ids(connection, kind, max(given))
    without = [item for item in items if item.get("id") is None]
    for item, key in zip(without, database.take_ids(connection, kind, len(without)), strict=True):
        item["id"] = key


def _insert(connection: sqlite3.Connection, job_id: int, kind: str, items: list[Item]) -> None:
    records = [
        (kind, item["id"], job_id, item["label_id"], json.dumps({k: v for k, v in item.items() if k != "id"}))
        for item in items
    ]
    _insert_new(connection, kind, "annotations (kind, id, job_id, label_id, body) VALUES (?, ?, ?, ?, ?)", records, 1)
    if kind == "tracks":
        keyframes = [(shape["id"], item["id"]) for item in items for shape in item["shapes"]]
        _insert_new(connection, "keyframes", "keyframes (id, track_id) VALUES (?, ?)", keyframes, 0)


def _insert_new(
    connection: sqlite3.Connection, kind: str, statement: str, records: list[tuple[Any, ...]], key: int
) -> None:
    """An id that is taken is refused in the words of CVAT's database."""
    try:
        connection.executemany(f"INSERT INTO {statement}", records)
    except sqlite3.IntegrityError:
        table = re.match(r"\w+", statement)
        assert table is not None
        taken = _first_taken(connection, table.group(), [record[key] for record in records], kind)
        refuse(
            f'duplicate key value violates unique constraint "{_CVAT_TABLES[kind]}_pkey"\n'
            f"DETAIL:  Key (id)=({taken}) already exists.\n"
        )


def _first_taken(connection: sqlite3.Connection, table: str, keys: list[int], kind: str) -> int:
    seen: set[int] = set()
    for key in keys:
        same_kind = " AND kind = ?" if table == "annotations" else ""
        parameters = (key, kind) if same_kind else (key,)
        if key in seen or database.one(connection, f"SELECT 1 FROM {table} WHERE id = ?{same_kind}", *parameters):
            return key
        seen.add(key)
    raise AssertionError("an insert failed although no id is taken")


def delete(connection: sqlite3.Connection, job_id: int, data: Annotations) -> None:
    """Ids that are not of this job are passed over."""
    connection.executemany(
        "DELETE FROM annotations WHERE job_id = ? AND kind = ? AND id = ?",
        [(job_id, kind, item["id"]) for kind in KINDS for item in data[kind] if item.get("id") is not None],
    )


def delete_all(connection: sqlite3.Connection, job_id: int) -> None:
    connection.execute("DELETE FROM annotations WHERE job_id = ?", (job_id,))
