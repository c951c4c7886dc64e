"""Which ends of tracklets are loose."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.motion.loose_ends import loose_ends
from spam_model.values import Candidates, ClipInfo, Hierarchy

FRAMES = 40
Run = tuple[range, int]  # frames of a tracklet, and its track


def world(runs: list[Run]) -> tuple[Candidates, Hierarchy]:
    """Tracklets that move 2 px a frame to the right; the tracks are what the hierarchy came to."""
    frame = np.concatenate([np.array(frames) for frames, _ in runs])
    track = np.concatenate([np.full(len(frames), track) for frames, track in runs])
    left = 2.0 * frame + 50 * track
    box = np.stack([left, np.full(len(left), 10.0), left + 20, np.full(len(left), 60.0)], axis=1)
    order = np.argsort(frame, kind="stable")
    info = ClipInfo("runs", FRAMES, 10.0, 640, 480)
    candidates = Candidates.build(info, frame[order], box[order], np.full(len(left), 0.9))
    return candidates, Hierarchy(np.ones(len(left)), np.ones(len(left), bool), (), track[order])


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(range(FRAMES), 0)], set()),
        ([(range(5, FRAMES), 0)], {(5, -1)}),
        ([(range(5, 20), 0), (range(10, 30), 1)], {(5, -1), (19, 1), (10, -1), (29, 1)}),
        ([(range(5, 7), 0)], set()),
    ],
    ids=["from end to end of the clip", "begins late", "two tracks", "too short to be followed"],
)
def test_an_end_is_loose_where_the_clip_goes_on_and_the_track_does_not(
    runs: list[Run], expected: set[tuple[int, int]]
) -> None:
    candidates, hierarchy = world(runs)
    ends = loose_ends(candidates, hierarchy)
    assert {(int(candidates.frame[id]), int(way)) for id, way in zip(ends.id, ends.direction, strict=True)} == expected


def test_an_end_moves_as_its_tracklet_does() -> None:
    candidates, hierarchy = world([(range(5, 20), 0)])
    assert loose_ends(candidates, hierarchy).velocity == pytest.approx(np.array([[2.0, 0], [2.0, 0]]))
