"""Whose a track is, decided from CVAT alone.

Every track that we push carries an immutable text attribute ``spam_id``: ``<identity> <run> <digest>``, the digest over
its label and keyframes. A track with our mark whose content still has that digest is ours; any other belongs to a
person, who drew or edited it, and is never changed or removed. Where a track has no mark (its label lacked the
attribute when it was pushed), the journal's list of digests that we wrote decides instead.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass

from cvat_bridge.wire import Label, Track

ID_ATTRIBUTE = "spam_id"
UNCERTAINTY_ATTRIBUTE = "spam_uncertainty"
_OUR_OWN = frozenset({ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE})
_MARK = re.compile(r"(?P<identity>\d+) (?P<run>r\d+) (?P<digest>[0-9a-f]{12})", re.ASCII)


@dataclass(frozen=True)
class Keyframe:
    """``box`` is x1 y1 x2 y2 in px, rounded as it is sent."""

    frame: int
    box: tuple[float, float, float, float]
    outside: bool
    occluded: bool


@dataclass(frozen=True)
class TrackPart:
    """One identity within one job, as it is to stand in CVAT.

    ``uncertainty`` is in nats; ``first_run`` is the run that wrote it first, where an undo puts it back.
    """

    job_id: int
    identity: int
    label_id: int
    keyframes: tuple[Keyframe, ...]
    uncertainty: float
    first_run: str = ""

    @property
    def digest(self) -> str:
        return _digest(self.label_id, self.keyframes)

    def mark(self, run: str) -> str:
        return f"{self.identity} {self.first_run or run} {self.digest}"


@dataclass(frozen=True)
class Mark:
    identity: int
    run: str
    digest: str

    @property
    def run_number(self) -> int:
        return run_number(self.run)


def run_number(run: str) -> int:
    """The number of a run's name, r1, r2, …"""
    return int(run.removeprefix("r"))


def digest_of(track: Track) -> str:
    """Digest of a track as CVAT gives it; unchanged by what the server adds to what was sent."""
    return _digest(track.label_id, keyframes_of(track))


def keyframes_of(track: Track) -> tuple[Keyframe, ...]:
    """A track's rectangles as CVAT gives them, in the order of their frames."""
    return tuple(
        Keyframe(shape.frame, sent_box(shape.points), shape.outside, shape.occluded)
        for shape in sorted(track.shapes, key=lambda shape: shape.frame)
        if shape.type == "rectangle" and len(shape.points) == 4
    )


def sent_box(points: Iterable[float]) -> tuple[float, float, float, float]:
    """Coordinates in hundredths of a px; no negative zero, whose text differs."""
    x1, y1, x2, y2 = (round(float(value), 2) + 0.0 for value in points)
    return x1, y1, x2, y2


def mark_of(track: Track, label: Label | None) -> Mark | None:
    """The mark we gave a track, None where there is none or somebody wrote something else there."""
    match = _MARK.fullmatch(_mark_text(track, label))
    return Mark(int(match["identity"]), match["run"], match["digest"]) if match else None


def missing_attributes(label: Label) -> list[str]:
    """Those of our attributes that a label lacks."""
    return [name for name in (ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE) if label.attribute(name) is None]


def unfit_attributes(label: Label) -> list[str]:
    """What is wrong with attributes of our names that somebody else made, in words."""
    specs = [spec for name in (ID_ATTRIBUTE, UNCERTAINTY_ATTRIBUTE) if (spec := label.attribute(name))]
    return [
        f"{label.name}: {spec.name} is a {'mutable' if spec.mutable else 'fixed'} {spec.input_type}, not a fixed text"
        for spec in specs
        if spec.mutable or spec.input_type != "text"
    ]


def is_ours(track: Track, label: Label | None, written: Container[str]) -> bool:
    """Whether the track is as we wrote it; ``written`` holds the digests that the journal knows."""
    if track.source != "auto" or _carries_more(track, label):
        return False
    digest = digest_of(track)
    mark = mark_of(track, label)
    if mark is not None:
        return mark.digest == digest
    return not _mark_text(track, label) and digest in written


def _mark_text(track: Track, label: Label | None) -> str:
    spec = label.attribute(ID_ATTRIBUTE) if label else None
    return next((value.value for value in track.attributes if spec and value.spec_id == spec.id), "")


def _carries_more(track: Track, label: Label | None) -> bool:
    """Whether somebody added what we never send: a group, a rotation, values of the label's own attributes.

    CVAT's page leaves ``source`` at ``auto`` when attributes or groups are set.
    """
    if track.group or any(shape.rotation or shape.type != "rectangle" for shape in track.shapes):
        return True
    defaults = {
        spec.id: spec.default_value for spec in (label.attributes if label else ()) if spec.name not in _OUR_OWN
    }
    values = (*track.attributes, *(value for shape in track.shapes for value in shape.attributes))
    return any(value.value != defaults[value.spec_id] for value in values if value.spec_id in defaults)


def _digest(label_id: int, keyframes: tuple[Keyframe, ...]) -> str:
    text = ";".join(
        f"{k.frame} {' '.join(f'{value:.2f}' for value in k.box)} {k.outside:d}{k.occluded:d}" for k in keyframes
    )
    return hashlib.sha256(f"{label_id}|{text}".encode()).hexdigest()[:12]
