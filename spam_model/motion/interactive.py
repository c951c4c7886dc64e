"""One object followed over single images, with a state small enough to travel as JSON: for CVAT's interactive
trackers.

A server keeps nothing between calls. ``initialise`` makes a state from an image and a box, ``follow`` takes states and
the next image and gives where the objects are, and the next states.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spam_model.data.clip import Image
from spam_model.errors import FormatError, InputError
from spam_model.motion.emm import TEMPLATE
from spam_model.motion.model import MotionModel
from spam_model.motion.propagation import VISIBLE, MotionState, start, step
from spam_model.motion.training_data import FeatureDetector
from spam_model.values.candidates import FloatArray


@dataclass(frozen=True)
class Followed:
    """Where an object is: ``box`` x1 y1 x2 y2 px, ``visibility`` in 0 … 1, ``visible``, and the state to go on with."""

    box: tuple[float, float, float, float]
    visibility: float
    visible: bool
    state: dict[str, Any]


def initialise(model: MotionModel, detector: FeatureDetector, image: Image, boxes: FloatArray) -> list[dict[str, Any]]:
    """States of the objects in ``boxes`` [n, 4] px of an image [H, W, 3] uint8 BGR, each ready for ``json.dumps``.

    Raises:
        InputError: a box is not a number, or has no area.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    if not (np.isfinite(boxes).all() and (boxes[:, 2:] > boxes[:, :2]).all()):
        raise InputError("an object to follow needs a box x1 y1 x2 y2 with x2 > x1 and y2 > y1")
    maps = _project(model, detector, image)
    return _unpacked(start(maps, 0, boxes), [0] * len(boxes))


def follow(
    model: MotionModel, detector: FeatureDetector, image: Image, states: Sequence[dict[str, Any]]
) -> list[Followed]:
    """The objects in the next image, all in one pass over it.

    Raises:
        FormatError: a state is none that ``initialise`` or ``follow`` made with this model.
    """
    maps = _project(model, detector, image)
    state = _packed(states, model.channels, len(maps.strides), maps.maps[0].device)
    moved = step(model, maps, 1, state)  # the frames' numbers do not matter, all are one frame on
    count = [int(state["frame"]) + 1 for state in states]
    box = moved.box.cpu().numpy().astype(np.float64)
    visibility = moved.visibility.cpu().numpy()
    return [
        Followed((float(x1), float(y1), float(x2), float(y2)), float(seen), bool(seen >= VISIBLE), each)
        for (x1, y1, x2, y2), seen, each in zip(box, visibility, _unpacked(moved, count), strict=True)
    ]


def _project(model: MotionModel, detector: FeatureDetector, image: Image) -> Any:
    with torch.inference_mode():
        return model.project(detector.features([image]))


def _unpacked(state: MotionState, frame: Sequence[int]) -> list[dict[str, Any]]:
    """``frame`` [n]: how many images each object has been followed for."""
    template = state.template.cpu().numpy().astype(np.float16)
    return [
        {
            "box": [round(value, 3) for value in state.box[row].tolist()],
            "velocity": [round(value, 4) for value in state.velocity[row].tolist()],
            "visibility": round(float(state.visibility[row]), 4),
            "unseen": int(state.unseen[row]),
            "frame": frame[row],
            "level": int(state.level[row]),
            "template": base64.b64encode(template[row].tobytes()).decode("ascii"),
        }
        for row in range(len(state))
    ]


def _packed(states: Sequence[dict[str, Any]], channels: int, levels: int, device: torch.device) -> MotionState:
    """Raises: FormatError: see ``follow``."""
    templates = []
    for number, state in enumerate(states):
        try:
            values = [*state["box"], *state["velocity"], state["visibility"], state["unseen"]]
            good = len(values) == 8 and bool(np.isfinite(np.array(values, np.float64)).all())
            good &= 0 <= int(state["level"]) < levels and state["box"][2] > state["box"][0]
            good &= state["box"][3] > state["box"][1] and int(state["frame"]) >= 0
            template = np.frombuffer(base64.b64decode(state["template"], validate=True), np.float16)
            good &= len(template) == channels * TEMPLATE**2 and bool(np.isfinite(template).all())
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise FormatError(f"state {number} is no state of a followed object ({error!r}); begin anew") from error
        if not good:
            raise FormatError(f"state {number} is of another motion model, or damaged; begin anew with a box")
        templates.append(template.reshape(channels, TEMPLATE, TEMPLATE).astype(np.float32))

    def column(key: str, width: int) -> Tensor:
        values = np.array([state[key] for state in states], np.float32).reshape(len(states), width)
        return torch.from_numpy(values).to(device)

    return MotionState(
        column("box", 4).new_zeros(len(states)),
        column("box", 4),
        column("velocity", 2),
        column("visibility", 1)[:, 0],
        column("unseen", 1)[:, 0],
        torch.from_numpy(np.stack(templates)).to(device)
        if templates
        else torch.zeros(0, channels, TEMPLATE, TEMPLATE, device=device),
        torch.tensor([int(state["level"]) for state in states], dtype=torch.int64, device=device),
    )
