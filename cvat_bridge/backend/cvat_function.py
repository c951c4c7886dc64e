"""Candidates from a detector function that is deployed in the user's own CVAT: ``--detector cvat:FUNCTION_ID``.

CVAT calls the function with one frame of the task and gives its rectangles back with the task's labels, without their
scores. A score survives only as an attribute, ``score`` or ``confidence``, that both the function and the task's label
have; else every candidate has score 1.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import numpy as np
from cvat_sdk.core.client import Client
from cvat_sdk.core.helpers import make_request_headers
from pydantic import BaseModel, ConfigDict

from cvat_bridge.connection import parse_json, read_json, send
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import AttributeValue, Label, parse
from spam_model.appearance.colour_histogram import ColourHistogram
from spam_model.data.clip import Image
from spam_model.detectors.base import Appearance, candidate_ids, embed_candidates
from spam_model.errors import BackendError, InputError, ServerError
from spam_model.values import Candidates, ClipInfo
from spam_model.values.candidates import FloatArray

log = logging.getLogger(__name__)

PREFIX = "cvat:"
SCORE_ATTRIBUTES = ("score", "confidence")
ATTEMPTS = 6
PAUSE = 1.0  # seconds before the second attempt, doubled from then on, up to LONGEST_PAUSE
LONGEST_PAUSE = 30.0
BUSY = frozenset({None, 408, 429, 502, 503, 504})  # no answer, timed out, throttled, all workers busy, gateway
_PERCENT = 1.5  # a score attribute above this is taken for one from 0 to 100


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _FunctionAttribute(_Body):
    name: str


class _FunctionLabel(_Body):
    name: str
    attributes: tuple[_FunctionAttribute, ...] = ()


class _Function(_Body):
    id: str
    kind: str
    labels_v2: tuple[_FunctionLabel, ...] = ()


class _Rectangle(_Body):
    type: str
    label_id: int
    points: tuple[float, ...]
    score: float | None = None
    attributes: tuple[AttributeValue, ...] = ()


class _Found(_Body):
    shapes: tuple[_Rectangle, ...] = ()


class CvatFunctionSource:
    """A ``CandidateSource`` of one task; CVAT reads the frames itself, pixels serve the embeddings only."""

    device = "where CVAT runs the function"

    def __init__(
        self,
        client: Client,
        task_id: int,
        spec: str,
        class_names: tuple[str, ...],
        min_score: float,
        concurrency: int = 4,
        appearance: Appearance | None = None,
    ) -> None:
        """
        Args:
            spec: ``cvat:FUNCTION_ID``, and where names differ ``,FUNCTION_LABEL=CLASS`` for each.

        Raises:
            InputError: no such detector, or one that does not find a class.
            ServerError: CVAT does not answer.
        """
        function_id, *pairs = spec.removeprefix(PREFIX).split(",")
        self.name = f"{PREFIX}{function_id}"
        self._client = client
        self._task_id = task_id
        self._function_id = function_id
        self._class_names = class_names
        self._min_score = min_score
        self._concurrency = concurrency
        self._appearance = appearance or ColourHistogram()
        self.appearance = self._appearance.name
        reader = CvatReader(client)
        self._labels = {label.name: label for label in reader.labels(task_id) if label.name in class_names}
        self._mapping = _mapping(self._function(), _aliases(pairs, spec), class_names, self._labels)

    def detect_frames(self, images: Sequence[Image], frames: Sequence[int], info: ClipInfo) -> Candidates:
        """
        Raises:
            BackendError: the function fails, or stays busy.
        """
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="cvat-function") as pool:
            found = list(pool.map(self._detect, frames))
        candidates = Candidates.build(
            replace(info, class_names=self._class_names),
            np.repeat(np.asarray(frames, np.int64), [len(rows) for rows in found]),
            np.concatenate([rows[:, :4] for rows in found]),
            np.concatenate([rows[:, 4] for rows in found]),
            class_id=np.concatenate([rows[:, 5] for rows in found]).astype(np.int64),
        )
        candidates = replace(candidates, id=candidate_ids(candidates.frame))
        return embed_candidates(candidates, images, frames, self._appearance)

    def _function(self) -> _Function:
        api = self._client.api_client.lambda_api
        try:
            body = read_json(api.retrieve_functions, self._function_id)
        except ServerError as error:
            if error.status == 404:
                raise InputError(
                    f"--detector {self.name}: CVAT has no such function; it has: {self._known()}"
                ) from error
            raise
        function = parse(_Function, body, f"function {self._function_id}")
        if function.kind != "detector":
            raise InputError(f"--detector {self.name}: it is a {function.kind}, no detector; CVAT has: {self._known()}")
        return function

    def _known(self) -> str:
        listed = read_json(self._client.api_client.lambda_api.list_functions)
        found = (parse(_Function, row, "a function") for row in (listed if isinstance(listed, list) else []))
        return ", ".join(function.id for function in found if function.kind == "detector") or "no detector"

    def _detect(self, frame: int) -> FloatArray:
        """[n, 6] x1 y1 x2 y2 score class, best first."""
        body = {
            "task": self._task_id,
            "frame": frame,
            "threshold": self._min_score,
            "mapping": self._mapping,
        }
        found = parse(_Found, self._call(body), f"function {self._function_id}")
        class_of = {label.id: self._class_names.index(name) for name, label in self._labels.items()}
        rows = [
            (*_upright(shape.points), score, class_of[shape.label_id])
            for shape in found.shapes
            if shape.type == "rectangle" and len(shape.points) == 4 and shape.label_id in class_of
            if (score := self._score(shape)) >= self._min_score
        ]
        array = np.array(rows, np.float64).reshape(-1, 6)
        array = array[(array[:, 2] > array[:, 0]) & (array[:, 3] > array[:, 1])]
        return array[np.argsort(-array[:, 4], kind="stable")]

    def _score(self, shape: _Rectangle) -> float:
        if shape.score is not None:
            return min(max(shape.score, 0.0), 1.0)
        label = next(label for label in self._labels.values() if label.id == shape.label_id)
        specs = {spec.id for spec in label.attributes if spec.name in SCORE_ATTRIBUTES}
        for value in shape.attributes:
            if value.spec_id in specs:
                try:
                    number = float(value.value)
                except ValueError:
                    continue
                return min(max(number / 100 if number > _PERCENT else number, 0.0), 1.0)
        return 1.0

    def _call(self, body: dict[str, object]) -> object:
        """One frame; it means the same however often it is asked, so a busy function is asked again, ever later."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = send(self._post_call, body)
                return parse_json(answer, f"function {self._function_id}")
            except ServerError as error:
                if error.status not in BUSY:
                    raise BackendError(
                        f"--detector {self.name}: frame {body['frame']} failed ({error}); see the function's log"
                    ) from error
                if attempt == ATTEMPTS:
                    raise BackendError(
                        f"--detector {self.name}: still busy after {ATTEMPTS} attempts ({error}); give the function "
                        "more workers, or run sync again: nothing is lost"
                    ) from error
                pause = min(LONGEST_PAUSE, PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)
                log.warning("%s; asking again in %.1f s (%d of %d)", error, pause, attempt, ATTEMPTS)
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _post_call(self, body: dict[str, object], **options: object) -> tuple[None, Any]:
        """The SDK's own model of this call turns the frame number into a float."""
        api = self._client.api_client
        url = f"{api.configuration.host}/api/lambda/functions/{quote(self._function_id, safe='')}"
        headers = {**make_request_headers(api), "Content-Type": "application/json"}
        return None, api.rest_client.POST(url, headers=headers, body=body, **options)


def _aliases(pairs: list[str], spec: str) -> dict[str, str]:
    """Function label -> class, as told."""
    aliases = {}
    for pair in pairs:
        label, sign, name = pair.partition("=")
        if not (label and sign and name):
            raise InputError(f"--detector {spec}: write label names as FUNCTION_LABEL=CLASS, separated by commas")
        aliases[label] = name
    return aliases


def _mapping(
    function: _Function, aliases: dict[str, str], class_names: tuple[str, ...], labels: dict[str, Label]
) -> dict[str, object]:
    """The function's labels that stand for our classes, with the attributes that carry a score."""
    known = {label.name: label for label in function.labels_v2}
    of_class = {name: name for name in class_names if name in known} | {name: label for label, name in aliases.items()}
    missing = [name for name in class_names if of_class.get(name) not in known]
    if missing:
        raise InputError(
            f"--detector {PREFIX}{function.id}: it finds {', '.join(known) or 'nothing'}, not {', '.join(missing)}; "
            f"say what stands for it: {PREFIX}{function.id},FUNCTION_LABEL={missing[0]}"
        )
    absent = [name for name in class_names if name not in labels]
    if absent:
        raise InputError(f"--detector {PREFIX}{function.id}: the task has no label {', '.join(absent)}")
    return {
        of_class[name]: {
            "name": name,
            "attributes": {
                spec.name: spec.name
                for spec in known[of_class[name]].attributes
                if spec.name in SCORE_ATTRIBUTES and labels[name].attribute(spec.name)
            },
        }
        for name in class_names
    }


def _upright(points: tuple[float, ...]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = points
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
