"""Lists as CVAT gives them: paged, newest first, with simple filters, a search, JSON logic and sorting."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from cvat_bridge.embedded.server.replies import ApiError, refuse, reply

TEXT, NUMBER, FLAG = "text", "number", "flag"
Kind = str | tuple[str, ...]  # a tuple lists the allowed words
_DEFAULT_SIZE, _LARGEST_SIZE = 10, 500


@dataclass(frozen=True)
class Listing:
    """``terms`` are the columns to filter and sort by, ``search`` those that a search looks through."""

    terms: dict[str, Kind]
    search: tuple[str, ...] = ()
    order: str = "-id"


def page(found: Sequence[sqlite3.Row], listing: Listing, as_json: Callable[[sqlite3.Row], Any]) -> Response:
    chosen = _sorted(_searched(_filtered(found, listing), listing), listing)
    size = _page_size()
    number = _page_number(len(chosen), size)
    return reply(
        {
            "count": len(chosen),
            "next": _link(number + 1) if number * size < len(chosen) else None,
            "previous": _link(number - 1) if number > 1 else None,
            "results": [as_json(row) for row in chosen[(number - 1) * size : number * size]],
        }
    )


def _page_size() -> int:
    text = request.args.get("page_size", "")
    size = int(text) if text.isdecimal() else 0
    return min(size, _LARGEST_SIZE) or _DEFAULT_SIZE


def _page_number(count: int, size: int) -> int:
    text = request.args.get("page", "1")
    number = int(text) if text.isdecimal() else 0
    if number < 1 or (number > 1 and (number - 1) * size >= count):
        raise ApiError(404, {"detail": "Invalid page."})
    return number


def _link(number: int) -> str:
    query = request.args.to_dict() | {"page": str(number)}
    if number == 1:
        del query["page"]
    return f"{request.base_url}?{urlencode(sorted(query.items()))}"


def _filtered(found: Sequence[sqlite3.Row], listing: Listing) -> list[sqlite3.Row]:
    chosen = list(found)
    for name, kind in listing.terms.items():
        if name in request.args:
            wanted = _parsed(name, kind, request.args[name])
            chosen = [row for row in chosen if row[name] == wanted]
    if "filter" in request.args:
        rule = _rule(request.args["filter"])
        chosen = [row for row in chosen if _evaluate(rule, row, listing)]
        if not found:
            _evaluate(rule, None, listing)
    return chosen


def _parsed(name: str, kind: Kind, text: str) -> Any:
    if kind == NUMBER:
        if not text.removeprefix("-").isdecimal():
            refuse({name: ["Enter a number."]})
        return int(text)
    if kind == FLAG:
        return text.lower() in ("true", "1")
    if isinstance(kind, tuple) and text not in kind:
        refuse({name: [f"Select a valid choice. {text} is not one of the available choices."]})
    return text


def _searched(found: list[sqlite3.Row], listing: Listing) -> list[sqlite3.Row]:
    words = request.args.get("search", "").lower().split()

    def matches(row: sqlite3.Row) -> bool:
        texts = [str(row[name] or "").lower() for name in listing.search]
        return all(any(word in text for text in texts) for word in words)

    return [row for row in found if matches(row)]


def _sorted(found: list[sqlite3.Row], listing: Listing) -> list[sqlite3.Row]:
    def by(field: str) -> Callable[[sqlite3.Row], Any]:
        return lambda row: (row[field] is not None, row[field])

    wanted = [field for field in request.args.get("sort", "").split(",") if field.removeprefix("-") in listing.terms]
    chosen = found
    for field in reversed([*wanted, listing.order]):
        chosen = sorted(chosen, key=by(field.removeprefix("-")), reverse=field.startswith("-"))
    return chosen


def _rule(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        refuse([f"filter: can't parse filter expression: {error}"])


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "in": lambda left, right: str(left).lower() in right.lower() if isinstance(right, str) else left in right,
}


def _evaluate(rule: Any, row: sqlite3.Row | None, listing: Listing) -> Any:
    """The value of a JSON logic rule for a row; without a row the rule is only checked."""
    if not isinstance(rule, dict):
        return rule
    if len(rule) != 1:
        refuse(["filter: one operation a level is supported"])
    operation, arguments = next(iter(rule.items()))
    if operation == "var":
        if arguments not in listing.terms:
            refuse([f"filter: term '{arguments}' is not supported"])
        return row[arguments] if row is not None else None
    values = [_evaluate(value, row, listing) for value in (arguments if isinstance(arguments, list) else [arguments])]
    if operation == "and":
        return all(values)
    if operation == "or":
        return any(values)
    if operation == "!" and len(values) == 1:
        return not values[0]
    if operation not in _COMPARISONS or len(values) != 2:
        refuse([f"filter: operation '{operation}' is not supported"])
    try:
        return _COMPARISONS[operation](values[0], values[1])
    except TypeError:
        return False
