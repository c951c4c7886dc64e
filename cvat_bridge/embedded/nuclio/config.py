"""``function.yaml`` as Nuclio reads it, down to what the host needs; the defaults are Nuclio's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from spam_model.errors import FormatError, InputError

PROJECT_LABEL = "nuclio.io/project-name"
DEFAULT_PROJECT = "cvat"  # the project that CVAT's deployment script gives to every function

_UNIT_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as ``30s``, ``1m30s`` or ``500ms``.

    Raises:
        ValueError: it is none.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration; write it like 30s, 1m30s or 500ms")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def _as_text(value: object) -> object:
    """YAML numbers, booleans and nothing, as the strings that annotations and variables are."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


_Text = Annotated[str, BeforeValidator(_as_text)]
_Seconds = Annotated[float, BeforeValidator(lambda value: parse_duration(str(value)))]


class _Metadata(BaseModel):
    name: str
    labels: dict[str, _Text] = {}
    annotations: dict[str, _Text] = {}


class _Attributes(BaseModel):
    max_request_body_size: int = Field(4 * 2**20, alias="maxRequestBodySize", ge=1)


class _Trigger(BaseModel):
    kind: str
    num_workers: int | None = Field(None, alias="numWorkers", ge=1)
    max_workers: int = Field(1, alias="maxWorkers", ge=1)  # its former name
    availability_ms: int = Field(10_000, alias="workerAvailabilityTimeoutMilliseconds", ge=0)
    attributes: _Attributes = _Attributes()  # type: ignore[call-arg]


class _Variable(BaseModel):
    name: str
    value: _Text = ""


class _Spec(BaseModel):
    description: str = ""
    runtime: str = Field(pattern="^python")
    handler: str = Field("main:handler", pattern=r"^[\w-]+(\.[\w-]+)*:\w+$")
    event_timeout: _Seconds | None = Field(None, alias="eventTimeout")
    env: list[_Variable] = []
    triggers: dict[str, _Trigger] = {}


class _Document(BaseModel):
    metadata: _Metadata
    spec: _Spec


@dataclass(frozen=True)
class FunctionConfig:
    """One function. Times in seconds, sizes in bytes; ``event_timeout`` None is no limit."""

    name: str
    folder: Path
    handler: str
    runtime: str
    description: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    environment: Mapping[str, str]
    trigger_name: str
    workers: int
    availability_timeout: float
    event_timeout: float | None
    max_body: int


def read_function(path: Path) -> FunctionConfig:
    """Reads one ``function.yaml``.

    Raises:
        InputError: it is not there.
        FormatError: it is not what Nuclio would deploy.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        document = _Document.model_validate(content)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        raise FormatError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise FormatError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    metadata, spec = document.metadata, document.spec
    http = {name: trigger for name, trigger in spec.triggers.items() if trigger.kind == "http"}
    trigger_name, trigger = next(iter(http.items()), ("default-http", _Trigger(kind="http")))  # type: ignore[call-arg]
    return FunctionConfig(
        name=metadata.name,
        folder=path.parent.resolve(),
        handler=spec.handler,
        runtime=spec.runtime,
        description=spec.description,
        labels={PROJECT_LABEL: DEFAULT_PROJECT, **metadata.labels},
        annotations=metadata.annotations,
        environment={variable.name: variable.value for variable in spec.env},
        trigger_name=trigger_name,
        workers=trigger.num_workers or trigger.max_workers,
        availability_timeout=trigger.availability_ms / 1000,
        event_timeout=spec.event_timeout,
        max_body=trigger.attributes.max_request_body_size,
    )


def find_functions(folders: Sequence[Path]) -> tuple[FunctionConfig, ...]:
    """Every function in or below these folders, by name.

    Raises:
        InputError: a folder holds none, or two functions have one name.
        FormatError: see ``read_function``.
    """
    functions: dict[str, FunctionConfig] = {}
    for folder in folders:
        paths = sorted(folder.rglob("function.yaml"))
        if not paths:
            raise InputError(f"{folder} holds no function.yaml; give the folder of a function, or one above it")
        for function in map(read_function, paths):
            if function.name in functions:
                raise InputError(
                    f"two functions are called {function.name!r}: {functions[function.name].folder} "
                    f"and {function.folder}; rename one"
                )
            functions[function.name] = function
    return tuple(functions[name] for name in sorted(functions))
