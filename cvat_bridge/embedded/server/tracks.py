"""Tracks over several jobs: cut at the borders when written through a task, put together when read.

Pure functions on plain annotation dictionaries. They behave as CVAT's do, down to the extra ``keyframe`` field that a
merge leaves on shapes: with overlap 0 the parts stay apart and each gets a closing ``outside`` shape, with an overlap
two parts become one where their boxes agree.
"""

from collections.abc import Callable
from copy import deepcopy
from itertools import takewhile
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from cvat_bridge.embedded.server.annotation_checks import KINDS, Annotations

Item = dict[str, Any]
_TRACK_COST, _SHAPE_COST = 0.5, 0.25  # a merge may cost at most this: 1 - IoU


def slice_annotations(data: Annotations, start: int, stop: int) -> Annotations:
    """What of ``data`` belongs to a job with these first and last frames."""
    sliced = {
        kind: [deepcopy(item) for item in data[kind] if start <= item["frame"] <= stop] for kind in ("tags", "shapes")
    }
    parts = [_slice_track(track, start, stop) for track in data["tracks"]]
    return {**sliced, "tracks": [part for part in parts if part["shapes"]]}


def _slice_track(track: Item, start: int, stop: int) -> Item:
    """Keyframes of the job, plus the interpolated box at each border that the track passes."""
    shapes = sorted(track["shapes"], key=lambda shape: int(shape["frame"]))
    inside = [deepcopy(shape) for shape in shapes if start <= shape["frame"] <= stop]
    if len(inside) < len(shapes):
        first, last = shape_at(shapes, start), shape_at(shapes, stop)
        goes_on = shapes[-1]["frame"] > stop
        if goes_on and last is not None and not last["outside"] and not _has_frame(inside, stop):
            inside.append(last)
        closing = list(takewhile(lambda shape: bool(shape["outside"]), inside))
        inside = inside[len(closing) :]
        if first is not None and not first["outside"] and not _has_frame(inside, start):
            end = shape_at(shapes, closing[0]["frame"]) if closing else None
            inside = [first, *([end] if end is not None else []), *inside]
    return {**deepcopy(track), "shapes": inside, "frame": inside[0]["frame"] if inside else track["frame"]}


def _has_frame(shapes: list[Item], frame: int) -> bool:
    return any(shape["frame"] == frame for shape in shapes)


def shape_at(shapes: list[Item], frame: int) -> Item | None:
    """The box of a track at a frame, its attributes inherited; None before its first keyframe."""
    before: Item | None = None
    for shape in shapes:
        if shape["frame"] > frame:
            return _between(before, shape, frame) if before is not None else None
        before = {**shape, "attributes": _inherited(before, shape)}
    return _between(before, before, frame) if before is not None else None


def _inherited(before: Item | None, shape: Item) -> list[Item]:
    own = {attribute["spec_id"] for attribute in shape["attributes"]}
    passed_on = before["attributes"] if before is not None else []
    return [*shape["attributes"], *(dict(item) for item in passed_on if item["spec_id"] not in own)]


def _between(left: Item, right: Item, frame: int) -> Item:
    shape = {name: deepcopy(value) for name, value in left.items() if name != "id"}
    shape["frame"] = frame
    span = right["frame"] - left["frame"]
    if frame > left["frame"] and span > 0 and not left["outside"]:
        part = (frame - left["frame"]) / span
        shape["rotation"] = (left["rotation"] + part * _turn(left["rotation"], right["rotation"])) % 360
        if len(left["points"]) == len(right["points"]):
            pairs = zip(left["points"], right["points"], strict=True)
            shape["points"] = [a + part * (b - a) for a, b in pairs]
    return shape


def _turn(left: float, right: float) -> float:
    """The shorter way round, in degrees."""
    return (right - left + 180) % 360 - 180


def merge_annotations(merged: Annotations, data: Annotations, start: int, overlap: int) -> None:
    """Adds the next job's annotations, whose first frame is ``start``, to those of the jobs before it."""
    _merge(merged["tags"], data["tags"], start, overlap, _by_frame, _tag_cost, _SHAPE_COST)
    _merge(merged["shapes"], data["shapes"], start, overlap, _by_frame, _shape_cost, _SHAPE_COST)

    def cost(old: Item, new: Item) -> float:
        return _track_cost(old, new, range(start, start + overlap))

    left_over = _merge(merged["tracks"], data["tracks"], start, overlap, _alive, cost, _TRACK_COST)
    for track in left_over:
        _close(track, start + overlap)


def _merge(
    merged: list[Item],
    added: list[Item],
    start: int,
    overlap: int,
    candidates: Callable[[list[Item], int], dict[int, list[Item]]],
    cost: Callable[[Item, Item], float],
    limit: float,
) -> list[Item]:
    """Pairs old and new objects of the shared frames; returns the old ones that found no partner."""
    shared = [item for item in added if item["frame"] < start + overlap]
    old_by_frame, new_by_frame = candidates(merged, start), candidates(shared, start)
    merged.extend(item for item in added if item["frame"] >= start + overlap)
    if not old_by_frame or not new_by_frame:
        merged.extend(shared)
        return [item for items in old_by_frame.values() for item in items]
    left_over: list[Item] = []
    for frame, new in new_by_frame.items():
        old = old_by_frame.get(frame, [])
        costs = np.array([[cost(a, b) for b in new] for a in old]).reshape(len(old), len(new))
        pairs = [(i, j) for i, j in zip(*linear_sum_assignment(costs), strict=True) if costs[i, j] <= limit]
        for i, j in pairs:
            _unite(old[i], new[j])
        merged.extend(item for j, item in enumerate(new) if j not in {pair[1] for pair in pairs})
        left_over.extend(item for i, item in enumerate(old) if i not in {pair[0] for pair in pairs})
    return left_over


def _by_frame(items: list[Item], start: int) -> dict[int, list[Item]]:
    found: dict[int, list[Item]] = {}
    for item in items:
        if item["frame"] >= start:
            found.setdefault(item["frame"], []).append(item)
    return found


def _alive(tracks: list[Item], start: int) -> dict[int, list[Item]]:
    """Tracks that reach into the shared frames, all under one key: they are paired as wholes."""
    found = [track for track in tracks if track["shapes"][-1]["frame"] >= start or not track["shapes"][-1]["outside"]]
    return {0: found} if found else {}


def _tag_cost(old: Item, new: Item) -> float:
    return 0.0 if old["label_id"] == new["label_id"] else 1.0


def _shape_cost(old: Item, new: Item) -> float:
    same = old["type"] == new["type"] == "rectangle" and old.get("label_id") == new.get("label_id")
    return 1 - _iou(old["points"], new["points"]) if same else 1.0


def _iou(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / both if both > 0 else 0.0


def _track_cost(old: Item, new: Item, frames: range) -> float:
    """Mean disagreement over the shared frames. Looking at a track fills in the attributes its shapes inherit."""
    if old["label_id"] != new["label_id"]:
        return 1.0
    for track in (old, new):
        _fill_inherited(track)
    errors = []
    for frame in frames:
        a, b = shape_at(old["shapes"], frame), shape_at(new["shapes"], frame)
        if a is not None and b is not None:
            errors.append(1.0 if a["outside"] != b["outside"] else _shape_cost(a, b))
        elif a is not None or b is not None:
            errors.append(1.0)
    return sum(errors) / len(errors) if errors else 0.0


def _fill_inherited(track: Item) -> None:
    before: Item | None = None
    for shape in track["shapes"]:
        shape["attributes"] = _inherited(before, shape)
        shape["keyframe"] = True
        before = shape


def _unite(old: Item, new: Item) -> None:
    """The new part goes into the old one, which keeps its id; tags and shapes have nothing to add."""
    if "shapes" not in old:
        return
    shapes = {shape["frame"]: shape for shape in new["shapes"]} | {shape["frame"]: shape for shape in old["shapes"]}
    old["shapes"] = [shapes[frame] for frame in sorted(shapes)]


def _close(track: Item, frame: int) -> None:
    """A part that does not go on ends with an ``outside`` shape, which carries the id of its last shape."""
    last = track["shapes"][-1]
    if not last["outside"]:
        track["shapes"].append({**deepcopy(last), "frame": frame, "outside": True})


def empty_annotations() -> Annotations:
    return {kind: [] for kind in KINDS}
