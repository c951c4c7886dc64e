"""``CVAT for video 1.1``: tracks with a box for each frame, as CVAT writes them; checked against a recorded export."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cvat_bridge.embedded.server.annotation_checks import Annotations
from cvat_bridge.embedded.server.tracks import shape_at

Item = dict[str, Any]


@dataclass(frozen=True)
class ExportedLabel:
    """``attributes``: id -> (name, whether it may change along a track, default value)."""

    name: str
    color: str
    type: str
    attributes: Mapping[int, tuple[str, bool, str]]


def video_xml(meta: ET.Element, annotations: Annotations, labels: Mapping[int, ExportedLabel], size: int) -> bytes:
    """The document of a task of ``size`` frames; a single shape becomes a track of one frame."""
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    root.append(meta)
    singles = [_as_track(shape) for shape in annotations["shapes"]]
    for number, track in enumerate([*annotations["tracks"], *singles]):
        label = labels[track["label_id"]]
        source = str(track.get("source") or "manual")
        element = ET.SubElement(root, "track", id=str(number), label=label.name, source=source)
        fixed = {**_defaults(label, False), **_values(track)}
        for shape, is_keyframe in _shown(track, size):
            values = {**_defaults(label, True), **fixed, **_values(shape)}
            element.append(_box(shape, is_keyframe, {label.attributes[key][0]: text for key, text in values.items()}))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()


def _shown(track: Item, size: int) -> Iterator[tuple[Item, bool]]:
    """Every keyframe, and the boxes between them; nothing between a keyframe that is outside and the next."""
    shapes = sorted(track["shapes"], key=lambda shape: int(shape["frame"]))
    last = shapes[-1]
    end = int(last["frame"]) if last["outside"] else size - 1
    keyframes = {int(shape["frame"]) for shape in shapes}
    for frame in range(int(shapes[0]["frame"]), min(end, size - 1) + 1):
        shape = shape_at(shapes, frame)
        if shape is not None and (frame in keyframes or not shape["outside"]):
            yield shape, frame in keyframes


def _as_track(shape: Item) -> Item:
    after = {**shape, "frame": shape["frame"] + 1, "outside": True}
    return {**shape, "attributes": [], "shapes": [{**shape, "outside": False}, after]}


def _defaults(label: ExportedLabel, mutable: bool) -> dict[int, str]:
    return {key: default for key, (_, may_change, default) in label.attributes.items() if may_change == mutable}


def _values(item: Item) -> dict[int, str]:
    return {value["spec_id"]: str(value["value"]) for value in item.get("attributes", [])}


def _box(shape: Item, is_keyframe: bool, values: Mapping[str, str]) -> ET.Element:
    corners = dict(zip(("xtl", "ytl", "xbr", "ybr"), (f"{value:.2f}" for value in shape["points"]), strict=True))
    flags = {
        "frame": str(shape["frame"]),
        "keyframe": str(int(is_keyframe)),
        "outside": str(int(shape["outside"])),
        "occluded": str(int(shape["occluded"])),
    }
    rotation = {"rotation": f"{shape['rotation']:.2f}"} if shape.get("rotation") else {}
    element = ET.Element("box", {**flags, **corners, **rotation, "z_order": str(shape["z_order"])})
    for name, text in values.items():
        ET.SubElement(element, "attribute", name=name).text = text
    return element
