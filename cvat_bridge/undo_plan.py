"""What taking runs back would change in a task: as ``plan``, but towards what stood there before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cvat_bridge.ownership import UNCERTAINTY_ATTRIBUTE, Mark, TrackPart, digest_of, is_ours, keyframes_of, mark_of
from cvat_bridge.plan import JobPlan, Plan, covered_by_persons
from cvat_bridge.wire import Annotations, Job, Label, Track

EDITED = "a person edited it"
DELETED = "a person deleted it"
COVERED = "a person drew this object since"
FINISHED = "people have finished the job"
LABEL_GONE = "its label was removed from the task"


@dataclass(frozen=True)
class Conflict:
    """Something that stays as it is; ``identity`` is that of one object, None where a whole job is meant."""

    job_id: int
    identity: int | None
    reason: str


@dataclass(frozen=True)
class JobHistory:
    """What is known of one job.

    Attributes:
        before: its annotations before the first of the runs wrote to it, None where none did, or nobody knows.
        identities: digest -> identity of all that we ever sent there.
        deleted: identities that a person deleted there.
    """

    before: Annotations | None
    identities: Mapping[str, int]
    deleted: frozenset[int]


@dataclass(frozen=True)
class UndoPlan:
    """``plan`` creates what is put back and removes what the runs wrote."""

    plan: Plan
    conflicts: tuple[Conflict, ...]


def plan_undo(
    since: int,
    jobs: tuple[Job, ...],
    current: Mapping[int, Annotations],
    history: Mapping[int, JobHistory],
    specs: tuple[Label, ...],
) -> UndoPlan:
    """Plans how run number ``since`` and all later ones are taken back; people's objects stay whatever they are."""
    by_id = {label.id: label for label in specs}
    planned = [_plan_job(since, job, current[job.id].tracks, history[job.id], by_id) for job in jobs]
    return UndoPlan(Plan(tuple(job for job, _ in planned)), tuple(c for _, conflicts in planned for c in conflicts))


def _plan_job(
    since: int, job: Job, current: tuple[Track, ...], history: JobHistory, by_id: Mapping[int, Label]
) -> tuple[JobPlan, list[Conflict]]:
    ours = [(_key(track, by_id), track) for track in current if _is_ours(track, history, by_id)]
    standing = {key for key, _ in ours}
    persons = [track for track in current if not _is_ours(track, history, by_id)]
    prior = {
        _key(track, by_id): track
        for track in (current if history.before is None else history.before.tracks)
        if _is_ours(track, history, by_id) and _is_earlier(_mark(track, by_id), since)
    }
    missing = [_part(job.id, prior[key], history, by_id) for key in prior.keys() - standing]
    missing.sort(key=lambda part: (part.identity, part.keyframes[0].frame))
    marks = [mark for track in persons if (mark := _mark(track, by_id))]
    edited = {mark.identity for mark in marks}
    reasons = {mark.identity: EDITED for mark in marks if not _is_earlier(mark, since)}
    back = []
    for part, is_covered in zip(missing, covered_by_persons(missing, persons, job.stop_frame).tolist(), strict=True):
        reason = _in_the_way(part, edited, history.deleted, by_id) or (COVERED if is_covered else "")
        if reason:
            reasons[part.identity] = reason
        else:
            back.append(part)
    conflicts = [Conflict(job.id, identity, reason) for identity, reason in sorted(reasons.items())]
    remove = tuple(track for key, track in ours if key not in prior)
    if job.is_finished:
        conflicts = [Conflict(job.id, None, FINISHED)] if back or remove else conflicts
        back, remove = [], ()
    planned = JobPlan(
        job_id=job.id,
        create=tuple(back),
        remove=remove,
        keep=frozenset(
            (history.identities.get(digest, 0) if identity is None else identity, digest)
            for identity, digest in prior.keys() & standing
        ),
        persons=len(persons),
        covered=len(missing) - len(back),
        finished=job.is_finished,
    )
    return planned, conflicts


def _is_ours(track: Track, history: JobHistory, by_id: Mapping[int, Label]) -> bool:
    return is_ours(track, by_id.get(track.label_id), history.identities)


def _key(track: Track, by_id: Mapping[int, Label]) -> tuple[int | None, str]:
    """Identity by its mark, and digest."""
    mark = _mark(track, by_id)
    return mark.identity if mark else None, digest_of(track)


def _mark(track: Track, by_id: Mapping[int, Label]) -> Mark | None:
    return mark_of(track, by_id.get(track.label_id))


def _is_earlier(mark: Mark | None, since: int) -> bool:
    """A track without a mark that stood before the runs was written by an earlier one."""
    return mark is None or mark.run_number < since


def _in_the_way(part: TrackPart, edited: set[int], deleted: frozenset[int], by_id: Mapping[int, Label]) -> str:
    if part.label_id not in by_id:
        return LABEL_GONE
    if part.identity in edited:
        return EDITED
    return DELETED if part.identity in deleted else ""


def _part(job_id: int, track: Track, history: JobHistory, by_id: Mapping[int, Label]) -> TrackPart:
    mark = _mark(track, by_id)
    return TrackPart(
        job_id=job_id,
        identity=mark.identity if mark else history.identities[digest_of(track)],
        label_id=track.label_id,
        keyframes=keyframes_of(track),
        uncertainty=_uncertainty(track, by_id.get(track.label_id)),
        first_run=mark.run if mark else "",
    )


def _uncertainty(track: Track, label: Label | None) -> float:
    spec = label.attribute(UNCERTAINTY_ATTRIBUTE) if label else None
    text = next((value.value for value in track.attributes if spec and value.spec_id == spec.id), "")
    try:
        return float(text)
    except ValueError:
        return 0.0
