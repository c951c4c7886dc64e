"""CVAT's bodies as we read and write them; unknown fields are ignored, wrong ones refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spam_model.errors import ServerError


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class AttributeValue(_Wire):
    spec_id: int
    value: str


class TrackedShape(_Wire):
    type: str = "rectangle"
    frame: int
    points: tuple[float, ...] = ()
    rotation: float = 0.0
    outside: bool = False
    occluded: bool = False
    attributes: tuple[AttributeValue, ...] = ()


class Track(_Wire):
    id: int | None = None
    label_id: int
    frame: int
    group: int | None = None
    source: str | None = None
    attributes: tuple[AttributeValue, ...] = ()
    shapes: tuple[TrackedShape, ...]


class Tag(_Wire):
    id: int
    frame: int
    label_id: int
    attributes: tuple[AttributeValue, ...] = ()


class Shape(_Wire):
    id: int
    type: str
    frame: int
    label_id: int
    points: tuple[float, ...]
    source: str | None = None


class Annotations(_Wire):
    tags: tuple[Tag, ...] = ()
    shapes: tuple[Shape, ...] = ()
    tracks: tuple[Track, ...] = ()


class AttributeSpec(_Wire):
    id: int
    name: str
    mutable: bool
    input_type: str
    default_value: str = ""
    values: tuple[str, ...] = ()


class Label(_Wire):
    id: int
    name: str
    type: str = "any"
    color: str | None = None
    attributes: tuple[AttributeSpec, ...] = ()

    def attribute(self, name: str) -> AttributeSpec | None:
        return next((spec for spec in self.attributes if spec.name == name), None)


class About(_Wire):
    name: str
    version: str


class AccessToken(_Wire):
    read_only: bool
    expiry_date: datetime | None = None


class User(_Wire):
    """``groups`` and ``is_superuser`` are told of the account itself only."""

    id: int
    username: str
    groups: tuple[str, ...] = ()
    is_superuser: bool = False


class Job(_Wire):
    id: int
    task_id: int
    type: str = "annotation"
    state: str
    stage: str
    start_frame: int
    stop_frame: int
    assignee: User | None = None
    updated_date: datetime | None = None

    @property
    def is_finished(self) -> bool:
        """Whether people have said that they are through with it."""
        return self.state == "completed" or self.stage == "acceptance"


class Task(_Wire):
    id: int
    name: str
    size: int = 0
    mode: str = ""
    project_id: int | None = None
    owner: User | None = None
    assignee: User | None = None
    organization_id: int | None = None
    guide_id: int | None = None


class Project(_Wire):
    id: int
    name: str
    owner: User | None = None
    assignee: User | None = None


class Guide(_Wire):
    markdown: str


class FrameMeta(_Wire):
    width: int
    height: int
    name: str


class DataMeta(_Wire):
    start_frame: int
    stop_frame: int
    frame_filter: str = ""
    deleted_frames: tuple[int, ...] = ()
    frames: tuple[FrameMeta, ...]


class Page(_Wire):
    count: int
    next: str | None = None
    results: list[dict[str, Any]] = Field(default_factory=list)


_Model = TypeVar("_Model", bound=BaseModel)


def parse(model: type[_Model], body: object, what: str) -> _Model:
    """
    Raises:
        ServerError: the answer does not have the shape we know.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ServerError(f"{what}: CVAT's answer is not as expected at {place!r}: {first['msg']}") from error
