"""The body of an annotations call: checked and filled up as CVAT's serializers do it.

CVAT is strict about structure (types, required fields, number of points) and lax about meaning (frames beyond the
job, values outside of their list, unknown sources): both are kept.
"""

from collections.abc import Callable
from typing import Any

from cvat_bridge.embedded.server.replies import REQUIRED, bad_choice, fail_as_cvat_does, out_of_scope, refuse

Annotations = dict[str, list[dict[str, Any]]]  # tags, shapes, tracks
KINDS = ("tags", "shapes", "tracks")

_TRUE, _FALSE = {True, "true", "True", "t", "yes", "1"}, {False, "false", "False", "f", "no", "0"}
_POINT_COUNTS: dict[str, Callable[[int], bool]] = {
    "rectangle": lambda count: count == 4,
    "ellipse": lambda count: count == 4,
    "cuboid": lambda count: count == 16,
    "polygon": lambda count: count >= 6 and count % 2 == 0,
    "polyline": lambda count: count >= 4 and count % 2 == 0,
    "points": lambda count: count >= 2 and count % 2 == 0,
    "mask": lambda count: count >= 6,
}
_NOT_A_NUMBER = "[ErrorDetail(string='Value must be a float or an integer', code='invalid')]"
Errors = dict[str, Any]


def check(body: Any, action: str) -> Annotations:
    """The objects of a body with all their fields. ``action`` is create, update, delete or put."""
    if not isinstance(body, dict):
        fail_as_cvat_does()
    found: Annotations = {}
    errors: Errors = {}
    for kind, check_one in (("tags", _tag), ("shapes", _shape), ("tracks", _track)):
        given = body.get(kind) or []
        if not isinstance(given, list):
            refuse({kind: {"non_field_errors": [_expected("a list of items", given)]}})
        checked = [check_one(item, action) if isinstance(item, dict) else _not_an_object(item) for item in given]
        found[kind] = [item for item, _ in checked]
        if any(wrong for _, wrong in checked):
            errors[kind] = [wrong for _, wrong in checked]
    if errors:
        refuse(errors)
    return found


def _expected(what: str, given: Any) -> str:
    return f'Expected {what} but got type "{type(given).__name__}".'


def _not_an_object(item: Any) -> tuple[dict[str, Any], Errors]:
    return {}, {"non_field_errors": [_expected("a dictionary", item)]}


def _whole_number(item: dict[str, Any], name: str, errors: Errors) -> Any:
    if name not in item:
        errors[name] = [REQUIRED]
        return None
    value = item[name]
    if not isinstance(value, int) or isinstance(value, bool):
        errors[name] = ["A valid integer is required."]
    elif value < 0:
        errors[name] = ["Ensure this value is greater than or equal to 0."]
    return value


def _common(item: dict[str, Any], action: str, errors: Errors) -> dict[str, Any]:
    """What tags, shapes and tracks share; a group that is not given is null, not 0."""
    checked: dict[str, Any] = {}
    if item.get("id") is not None:
        if action == "create":
            errors["id"] = ["must be absent"]
        checked["id"] = _whole_number(item, "id", errors) if action != "create" else item["id"]
    if item.get("elements"):
        out_of_scope("an annotation with elements (skeleton)")
    checked["frame"] = _whole_number(item, "frame", errors)
    checked["label_id"] = _whole_number(item, "label_id", errors)
    checked["group"] = _whole_number(item, "group", errors) if item.get("group") is not None else None
    checked["source"] = str(item.get("source", "manual"))
    checked["attributes"] = _attributes(item, errors)
    return checked


def _attributes(item: dict[str, Any], errors: Errors) -> list[dict[str, Any]]:
    """Any value is taken, as its text."""
    given = item.get("attributes", [])
    if not given:
        return []
    if not isinstance(given, list) or not all(isinstance(attribute, dict) for attribute in given):
        errors["attributes"] = [_expected("a list of items", given)]
        return []
    wrong: list[Errors] = [
        {} if isinstance(attribute.get("spec_id"), int) else {"spec_id": [REQUIRED]} for attribute in given
    ]
    if any(wrong):
        errors["attributes"] = wrong
        return []
    return [{"spec_id": attribute["spec_id"], "value": str(attribute.get("value"))} for attribute in given]


def _tag(item: dict[str, Any], action: str) -> tuple[dict[str, Any], Errors]:
    errors: Errors = {}
    return _common(item, action, errors), errors


def _shape(item: dict[str, Any], action: str) -> tuple[dict[str, Any], Errors]:
    errors: Errors = {}
    return {**_geometry(item, errors), **_common(item, action, errors), "elements": []}, errors


def _track(item: dict[str, Any], action: str) -> tuple[dict[str, Any], Errors]:
    errors: Errors = {}
    track = {**_common(item, action, errors), "shapes": [], "elements": []}
    if not isinstance(item.get("shapes"), list):
        errors["shapes"] = [REQUIRED]
        return track, errors
    wrong = []
    for shape in item["shapes"]:
        checked, shape_errors = _keyframe(shape) if isinstance(shape, dict) else _not_an_object(shape)
        track["shapes"].append(checked)
        wrong.append(shape_errors)
    if any(wrong):
        errors["shapes"] = wrong
    if not errors and not track["shapes"]:
        fail_as_cvat_does()
    return track, errors


def _keyframe(item: dict[str, Any]) -> tuple[dict[str, Any], Errors]:
    """One shape of a track; unlike the track it may bring an id of its own."""
    errors: Errors = {}
    checked = _geometry(item, errors)
    if item.get("id") is not None:
        checked["id"] = _whole_number(item, "id", errors)
    checked["frame"] = _whole_number(item, "frame", errors)
    checked["attributes"] = _attributes(item, errors)
    return checked, errors


def _geometry(item: dict[str, Any], errors: Errors) -> dict[str, Any]:
    checked = {
        "type": item.get("type"),
        "occluded": _flag(item, "occluded", errors),
        "outside": _flag(item, "outside", errors),
        "z_order": item.get("z_order", 0),
        "rotation": item.get("rotation", 0),
        "points": item.get("points", []),
    }
    if checked["type"] == "skeleton":
        out_of_scope("a skeleton")
    if checked["type"] not in _POINT_COUNTS:
        errors["type"] = bad_choice(checked["type"]) if "type" in item else [REQUIRED]
    if not isinstance(checked["z_order"], int):
        errors["z_order"] = ["A valid integer is required."]
    _check_rotation(checked["rotation"], errors)
    _check_points(checked["type"], checked["points"], errors)
    return checked


def _flag(item: dict[str, Any], name: str, errors: Errors) -> bool:
    value = item.get(name, False)
    if value is True or value is False:
        return value
    if not isinstance(value, str | int) or value not in _TRUE | _FALSE:
        errors[name] = ["Must be a valid boolean."]
    return value in _TRUE


def _check_rotation(value: Any, errors: Errors) -> None:
    if not isinstance(value, int | float):
        errors["rotation"] = ["A valid number is required."]
    elif value < 0:
        errors["rotation"] = ["Ensure this value is greater than or equal to 0."]
    elif value > 360:
        errors["rotation"] = ["Ensure this value is less than or equal to 360."]


def _check_points(kind: Any, points: Any, errors: Errors) -> None:
    if not isinstance(points, list):
        errors["points"] = [_expected("a list of items", points)]
        return
    wrong = {
        str(place): _NOT_A_NUMBER
        for place, value in enumerate(points)
        if not isinstance(value, float | int) or isinstance(value, bool)
    }
    if wrong:
        errors["points"] = wrong
    elif kind in _POINT_COUNTS and not _POINT_COUNTS[kind](len(points)):
        errors["points"] = [f"invalid length for shape type '{kind}'"]
