"""What a recorded body is reduced to, and what a replayed one is measured against.

A shape is a dictionary (an object), a list of ``[count, shape]`` (a list, equal neighbours counted) or a word: ``str``,
``num``, ``bool``, ``null``, ``any``, ``id:task`` (an id of that kind of object) or ``=`` (a value that must be equal).
Ids and equal values stand beside the shape, in the order in which it is walked, so that few shapes serve all exchanges.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Shape = Any
Id = tuple[str, int]  # kind and recorded number

_ID_KEYS = {
    "task_id": "task",
    "project_id": "project",
    "job_id": "job",
    "label_id": "label",
    "spec_id": "attribute",
    "guide_id": "guide",
}
_RESOURCES = {
    "tasks": "task",
    "projects": "project",
    "jobs": "job",
    "labels": "label",
    "users": "user",
    "guides": "guide",
}
_EQUAL = {
    *(
        "count",
        "completed",
        "validation",
        "frame_count",
        "start_frame",
        "stop_frame",
        "size",
        "segment_size",
        "overlap",
    ),
    *("stage", "state", "mode", "type", "status", "source", "group", "frame", "outside", "occluded", "z_order"),
    *("rotation", "points", "value", "values", "name", "mutable", "input_type", "default_value", "deleted_frames"),
    *("frame_filter", "chunk_size", "data_chunk_size", "image_quality", "width", "height", "username", "markdown"),
    *("subset", "task_subsets", "has_parent", "read_only", "groups", "data_original_chunk_type", "keyframe"),
}


def kind_of_id(key: str, parents: tuple[str, ...], resource: str) -> str | None:
    """Of what kind the number under ``key`` is; ``parents`` are the keys above it."""
    if key != "id":
        return _ID_KEYS.get(key)
    parent = parents[-1] if parents else ""
    if parent == "shapes":
        return "keyframe" if "tracks" in parents else "shape"
    named = {"tags": "tag", "tracks": "track", "attributes": "attribute", "labels": "label"}
    if parent in named:
        return named[parent]
    return "user" if parent in ("owner", "assignee") else _RESOURCES.get(resource, "token")


def in_order(key: str, items: list[Any]) -> list[Any]:
    """Lists whose order CVAT does not promise, in one that is."""
    if key == "attributes":
        return sorted(items, key=lambda item: int(item.get("spec_id", item.get("id", 0))))
    if key == "shapes":
        return sorted(items, key=lambda item: (int(item.get("frame", 0)), int(item.get("id") or 0)))
    return items


@dataclass
class Description:
    """The shape of a body with its ids and equal values."""

    resource: str
    loose: frozenset[str] = frozenset()
    ids: list[Id] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def of(self, value: Any, key: str = "", parents: tuple[str, ...] = ()) -> Shape:
        if key in self.loose:
            return "any"
        if isinstance(value, dict):
            below = (*parents, key) if key else parents
            return {name: self.of(value[name], name, below) for name in sorted(value)}
        is_count_of_issues = key == "count" and parents[-1:] == ("issues",)
        if key in _EQUAL and value != "<token>" and not is_count_of_issues and not _holds_objects(value):
            self.values.append(value)
            return "="
        if isinstance(value, list):
            return self._of_list(value, key, parents)
        kind = kind_of_id(key, parents, self.resource)
        if kind is not None and isinstance(value, int):
            self.ids.append((kind, value))
            return f"id:{kind}"
        return word(value)

    def _of_list(self, items: list[Any], key: str, parents: tuple[str, ...]) -> Shape:
        shapes: list[list[Any]] = []
        for item in in_order(key, items):
            shape = self.of(item, "" if isinstance(item, dict) else key, (*parents, key))
            if shapes and shapes[-1][1] == shape:
                shapes[-1][0] += 1
            else:
                shapes.append([1, shape])
        return shapes


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def word(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return "num" if isinstance(value, int | float) else "str"


class Comparison:
    """Walks an answer beside a recorded shape; learns ids that are new, and notes what differs."""

    def __init__(self, known: dict[Id, int], ids: list[int], values: list[Any]) -> None:
        self.problems: list[str] = []
        self._known = known
        self._ids: Iterator[int] = iter(ids)
        self._values: Iterator[Any] = iter(values)

    def walk(self, shape: Shape, value: Any, key: str = "", path: str = "body") -> None:
        if shape == "any":
            return
        if isinstance(shape, dict):
            self._walk_object(shape, value, path)
        elif isinstance(shape, list):
            self._walk_list(shape, value, key, path)
        elif shape == "=":
            wanted = next(self._values)
            if value != wanted or isinstance(value, bool) != isinstance(wanted, bool):
                self.problems.append(f"{path}: {wanted!r} expected, {value!r} found")
        elif shape.startswith("id:"):
            self._check_id(shape.removeprefix("id:"), next(self._ids), value, path)
        elif word(value) != shape:
            self.problems.append(f"{path}: {shape} expected, {value!r} found")

    def _walk_object(self, shape: dict[str, Shape], value: Any, path: str) -> None:
        if not isinstance(value, dict) or value.keys() != shape.keys():
            found = sorted(value) if isinstance(value, dict) else value
            self.problems.append(f"{path}: keys {sorted(shape)} expected, {found} found")
            return
        for name in sorted(shape):
            self.walk(shape[name], value[name], name, f"{path}.{name}")

    def _walk_list(self, shape: list[list[Any]], value: Any, key: str, path: str) -> None:
        shapes = [one for count, one in shape for _ in range(count)]
        if not isinstance(value, list) or len(value) != len(shapes):
            found = f"{len(value)} items" if isinstance(value, list) else value
            self.problems.append(f"{path}: {len(shapes)} items expected, {found} found")
            return
        for place, (one, item) in enumerate(zip(shapes, in_order(key, value), strict=True)):
            self.walk(one, item, key, f"{path}[{place}]")

    def _check_id(self, kind: str, recorded: int, value: Any, path: str) -> None:
        if not isinstance(value, int):
            self.problems.append(f"{path}: an id expected, {value!r} found")
        elif self._known.setdefault((kind, recorded), value) != value:
            wanted = self._known[kind, recorded]
            self.problems.append(f"{path}: {kind} {wanted} (recorded {recorded}) expected, {value} found")
