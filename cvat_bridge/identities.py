"""Identities that last: a track keeps its number from round to round, however the model numbers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from scipy.optimize import linear_sum_assignment

from cvat_bridge.agreement import Boxes, agreeing_frames
from cvat_bridge.ownership import Mark, keyframes_of, mark_of
from cvat_bridge.plan import interpolate
from cvat_bridge.wire import Annotations, Job, Label
from spam_model.values import Labels
from spam_model.values.candidates import FloatArray, IntArray

FILLED_GAP = -1  # in place of a candidate's id; ids below it are of boxes that people drew


def keep_identities(labels: Labels, previous: dict[int, int], highest: int = 0) -> dict[int, int]:
    """Maps each track of ``labels`` to a lasting identity.

    Args:
        previous: candidate id -> lasting identity, of the round before.
        highest: no identity up to this one is given to a new track, so that a number never gets a second meaning.

    Returns:
        track -> identity: the one with which it shares most candidates, one to one; new numbers for the others.
    """
    tracks = labels.track_ids
    known = sorted(set(previous.values()))
    shared = np.zeros((len(tracks), len(known)), np.int64)
    column = {identity: position for position, identity in enumerate(known)}
    row = np.searchsorted(tracks, labels.track)
    for position, candidate in enumerate(labels.candidate_id.tolist()):
        if candidate in previous:
            shared[row[position], column[previous[candidate]]] += 1
    result: dict[int, int] = {}
    for track, identity in zip(*linear_sum_assignment(-shared), strict=True):
        if shared[track, identity] > 0:
            result[int(tracks[track])] = known[int(identity)]
    following = max(highest, *known, 0) + 1
    for track in tracks.tolist():
        if track not in result:
            result[track] = following
            following += 1
    return result


def candidate_identities(labels: Labels, identity_of: dict[int, int]) -> dict[int, int]:
    """Candidate id -> lasting identity, for the next round; drawn boxes among them, filled gaps left out."""
    return {
        candidate: identity_of[track]
        for candidate, track in zip(labels.candidate_id.tolist(), labels.track.tolist(), strict=True)
        if candidate != FILLED_GAP
    }


def marked_identities(current: Mapping[int, Annotations], specs: tuple[Label, ...]) -> frozenset[int]:
    """Every identity that stands in CVAT, in marks of ours on whosever tracks."""
    return frozenset(mark.identity for mark in _marks(current, specs))


def highest_run(current: Mapping[int, Annotations], specs: tuple[Label, ...]) -> int:
    """The highest number of a run in the marks that stand in CVAT, 0 without any."""
    return max((mark.run_number for mark in _marks(current, specs)), default=0)


def _marks(current: Mapping[int, Annotations], specs: tuple[Label, ...]) -> Iterator[Mark]:
    by_id = {label.id: label for label in specs}
    for standing in current.values():
        for track in standing.tracks:
            mark = mark_of(track, by_id.get(track.label_id))
            if mark:
                yield mark


def recover_identities(
    labels: Labels, jobs: tuple[Job, ...], current: Mapping[int, Annotations], specs: tuple[Label, ...]
) -> dict[int, int]:
    """Candidate id -> lasting identity from the marks in CVAT, for a task whose journal was lost.

    A track gets the identity whose boxes agree with its own on most frames, one to one.
    """
    by_id = {label.id: label for label in specs}
    standing: dict[int, list[tuple[IntArray, FloatArray]]] = {}
    for job in jobs:
        for track in current[job.id].tracks:
            mark = mark_of(track, by_id.get(track.label_id))
            if mark:
                part = interpolate(keyframes_of(track), last_frame=job.stop_frame)
                standing.setdefault(mark.identity, []).append(part)
    known = sorted(standing)
    theirs = Boxes.of(
        [
            (np.concatenate([frame for frame, _ in parts]), np.concatenate([box for _, box in parts]))
            for _, parts in sorted(standing.items())
        ]
    )
    tracks = labels.track_ids
    ours = Boxes(np.searchsorted(tracks, labels.track), labels.frame, labels.box, len(tracks))
    shared = agreeing_frames(ours, theirs)
    pairs = zip(*linear_sum_assignment(-shared), strict=True)
    found = {int(tracks[row]): known[int(column)] for row, column in pairs if shared[row, column] > 0}
    rows = zip(labels.candidate_id.tolist(), labels.track.tolist(), strict=True)
    return {candidate: found[track] for candidate, track in rows if candidate != FILLED_GAP and track in found}
