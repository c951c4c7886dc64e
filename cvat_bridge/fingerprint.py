"""What a plan rests on, part by part, so that a saved one can be refused with the name of what has changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from cvat_bridge.backend import BackendDescription
from cvat_bridge.frames import TaskFrames
from cvat_bridge.ownership import digest_of
from cvat_bridge.plan import Plan
from cvat_bridge.wire import Job, Label
from spam_model.active.session import Session
from spam_model.values import Query

_SESSION = TypeAdapter(Session)
_NUMBERS_OF_THE_SERVER = frozenset({"id", "version"})  # a split, merge or save may change them, and nothing else


def fingerprint(
    frames: TaskFrames,
    labels: tuple[Label, ...],
    jobs: tuple[Job, ...],
    annotations: Mapping[int, dict[str, Any]],
    session: Session | None,
    settings: object,
    model: BackendDescription,
) -> dict[str, str]:
    """Name of a part -> digest of its content.

    Args:
        annotations: job id -> as the server gives them.
        session: what people have answered so far, None before the first question.
        settings: how candidates are made.
    """
    return {
        "its frames": digest([frames.info.frame_count, frames.info.width, frames.info.height, sorted(frames.deleted)]),
        "its labels": digest([label.model_dump() for label in sorted(labels, key=lambda label: label.id)]),
        "its jobs": digest([[job.id, job.start_frame, job.stop_frame, job.is_finished] for job in jobs]),
        **{f"the annotations of job {job.id}": digest(_content(annotations[job.id])) for job in jobs},
        "its questions and answers": digest(_SESSION.dump_python(session, mode="json") if session else None),
        "the settings": digest(settings),
        "the model": digest([model.model_version, model.detector]),
    }


def outcome(plan: Plan, questions: tuple[Query, ...]) -> dict[str, str]:
    """As ``fingerprint``, of what a plan comes to: equal where the parts are, unless the program was changed."""
    changes = [
        [job.job_id, sorted(part.mark("r0") for part in job.create), sorted(digest_of(track) for track in job.remove)]
        for job in plan.jobs
    ]
    return {"the tracks and questions that follow": digest([changes, [query.id for query in questions]])}


def changed_parts(planned: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the parts that differ, are gone or are new."""
    return tuple(name for name in {**planned, **found} if planned.get(name) != found.get(name))


def digest(value: object) -> str:
    """16 hexadecimal digits of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _content(value: Any) -> Any:
    """Annotations without the server's numbers; objects and attributes in an order of their own."""
    if isinstance(value, dict):
        return {name: _content(item) for name, item in value.items() if name not in _NUMBERS_OF_THE_SERVER}
    if isinstance(value, list):
        items = [_content(item) for item in value]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if _are_objects(items) else items
    return value


def _are_objects(items: list[Any]) -> bool:
    return all(isinstance(item, dict) for item in items)
