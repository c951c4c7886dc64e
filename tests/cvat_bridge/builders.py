"""Labels, jobs and CVAT's tracks for tests that need no server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cvat_bridge.ownership import ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE, Keyframe, TrackPart
from cvat_bridge.wire import Annotations, AttributeSpec, AttributeValue, Job, Label, Track, TrackedShape
from spam_model.values import ClipInfo, Labels

INFO = ClipInfo("street", 60, 25.0, 320, 240)
ID_SPEC, UNCERTAINTY_SPEC, TEAM_SPEC, POSE_SPEC = 11, 12, 13, 14


def _text(key: int, name: str) -> AttributeSpec:
    return AttributeSpec(id=key, name=name, mutable=False, input_type="text")


PERSON = Label(
    id=1,
    name="person",
    attributes=(
        _text(ID_SPEC, ID_ATTRIBUTE),
        _text(UNCERTAINTY_SPEC, UNCERTAINTY_ATTRIBUTE),
        AttributeSpec(
            id=TEAM_SPEC, name="team", mutable=False, input_type="select", default_value="a", values=("a", "b")
        ),
        AttributeSpec(id=POSE_SPEC, name="sits", mutable=True, input_type="checkbox", default_value="false"),
    ),
)
PLAIN_PERSON = PERSON.model_copy(update={"attributes": ()})

Rows = Sequence[tuple[int, float]]  # (frame, x1)


def labels(tracks: Mapping[int, Rows], info: ClipInfo = INFO, first_candidate: int = 0) -> Labels:
    """Boxes of 40 × 80 px at (x1, 50); every box has a candidate of its own."""
    rows = [(track, frame, x1) for track in sorted(tracks) for frame, x1 in tracks[track]]
    count = len(rows)
    x1 = np.array([row[2] for row in rows], np.float64)
    return Labels.build(
        info,
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.stack([x1, np.full(count, 50.0), x1 + 40, np.full(count, 130.0)], axis=1),
        candidate_id=np.arange(first_candidate, first_candidate + count),
        uncertainty=np.full(count, 0.1),
    )


def straight(first: int, last: int, x1: float = 10.0, step: float = 2.0) -> list[tuple[int, float]]:
    return [(frame, x1 + step * (frame - first)) for frame in range(first, last + 1)]


def renumbered(given: Labels, numbers: dict[int, int]) -> Labels:
    """The same boxes under other track numbers."""
    track = np.array([numbers[number] for number in given.track.tolist()], np.int64)
    return given.take(np.arange(len(given)), track=track)


def job(key: int = 1, start: int = 0, stop: int = 59, state: str = "new", stage: str = "annotation") -> Job:
    return Job(id=key, task_id=1, state=state, stage=stage, start_frame=start, stop_frame=stop)


def keyframe(frame: int, x1: float, outside: bool = False, occluded: bool = False) -> Keyframe:
    return Keyframe(frame, (x1, 50.0, x1 + 40.0, 130.0), outside, occluded)


def part(identity: int = 1, keyframes: Sequence[Keyframe] = (), job_id: int = 1) -> TrackPart:
    return TrackPart(job_id, identity, PERSON.id, tuple(keyframes or (keyframe(0, 10), keyframe(20, 50))), 0.1)


def as_pushed(given: TrackPart, key: int = 100, run: str = "r1", label: Label = PERSON) -> Track:
    """What CVAT shows of a part after a push: with ids, and the attributes that it fills in."""
    marked = label.attribute(ID_ATTRIBUTE) is not None
    own = (AttributeValue(spec_id=ID_SPEC, value=given.mark(run)), AttributeValue(spec_id=UNCERTAINTY_SPEC, value="0"))
    filled = (AttributeValue(spec_id=TEAM_SPEC, value="a"),)
    return Track(
        id=key,
        label_id=given.label_id,
        frame=given.keyframes[0].frame,
        group=0,
        source="auto",
        attributes=(*own, *filled) if marked else (),
        shapes=tuple(
            TrackedShape(
                frame=k.frame,
                points=k.box,
                outside=k.outside,
                occluded=k.occluded,
                attributes=(AttributeValue(spec_id=POSE_SPEC, value="false"),) if marked else (),
            )
            for k in given.keyframes
        ),
    )


def by_hand(rows: Rows, key: int = 500, label_id: int = 1, source: str = "manual", ends: bool = True) -> Track:
    """A person's track with a keyframe for each row, hidden after the last where it ``ends``."""
    shapes = [TrackedShape(frame=frame, points=(x1, 50.0, x1 + 40, 130.0)) for frame, x1 in rows]
    if ends:
        shapes.append(shapes[-1].model_copy(update={"frame": rows[-1][0] + 1, "outside": True}))
    return Track(id=key, label_id=label_id, frame=rows[0][0], source=source, shapes=tuple(shapes))


def standing(*tracks: Track, key: int = 1) -> dict[int, Annotations]:
    return {key: Annotations(tracks=tracks)}
