"""States of CVAT's interactive tracker: JSON, small, and enough to go on from."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spam_model.errors import FormatError, InputError
from spam_model.motion.interactive import follow, initialise
from tests.spam_model.motion.worlds import ColourEyes, PatchClip, colour_model, overlaps, straight

PATHS = np.concatenate([straight(30, (30, 40), (2, 0)), straight(30, (130, 80), (-2, 0))])


def test_objects_are_followed_through_states_that_travel_as_json_also_past_an_occlusion() -> None:
    hidden = PATHS.copy()
    hidden[0, 12:15] = np.nan
    shown, clip, model, eyes = PatchClip(PATHS), PatchClip(hidden), colour_model(), ColourEyes()
    states = initialise(model, eyes, clip.frame(0), clip.boxes(0))
    seen = []
    for frame in range(1, 30):
        followed = follow(model, eyes, clip.frame(frame), json.loads(json.dumps(states)))
        states = [each.state for each in followed]
        seen.append(followed[0].visible)
        assert overlaps(np.array([followed[1].box]), shown, [frame], patch=1)[0] > 0.7
    assert [frame for frame, visible in enumerate(seen, start=1) if not visible] == [12, 13, 14]
    assert overlaps(np.array([followed[0].box]), shown, [29])[0] > 0.7
    assert states[0]["frame"] == 29
    assert eyes.looked_at == 30  # once for each image, however many objects


def test_nobody_to_follow_is_no_error() -> None:
    clip, model, eyes = PatchClip(PATHS), colour_model(), ColourEyes()
    assert initialise(model, eyes, clip.frame(0), np.zeros((0, 4))) == []
    assert follow(model, eyes, clip.frame(0), []) == []


@pytest.mark.parametrize("box", [[5, 5, 5, 9], [9, 5, 3, 9], [0, 0, np.nan, 4], [0, 0, np.inf, 4]])
def test_boxes_without_an_area_are_refused(box: list[float]) -> None:
    clip = PatchClip(PATHS)
    with pytest.raises(InputError, match="needs a box"):
        initialise(colour_model(), ColourEyes(), clip.frame(0), np.array([box]))


@pytest.mark.parametrize(
    "change",
    [
        {"template": "AAAA"},
        {"template": "not base64!"},
        {"box": [1, 2, 3]},
        {"box": [5, 5, 4, 9]},
        {"box": "wide"},
        {"velocity": [float("nan"), 0]},
        {"level": 2},
        {"level": -1},
        {"frame": None},
        {"visibility": None},
    ],
)
def test_damaged_states_are_refused(change: dict[str, object]) -> None:
    clip, model, eyes = PatchClip(PATHS), colour_model(), ColourEyes()
    (state, _) = initialise(model, eyes, clip.frame(0), clip.boxes(0))
    with pytest.raises(FormatError, match="begin anew"):
        follow(model, eyes, clip.frame(1), [{**state, **change}])
    with pytest.raises(FormatError, match="begin anew"):
        follow(model, eyes, clip.frame(1), [{key: state[key] for key in state if key not in change}])
