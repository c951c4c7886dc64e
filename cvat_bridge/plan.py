"""What a push would change in a task: computed first, shown by ``--dry-run``, applied by ``writer`` only."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np

from cvat_bridge.agreement import Boxes, agreeing_frames
from cvat_bridge.ownership import (
    ID_ATTRIBUTE,
    Keyframe,
    TrackPart,
    digest_of,
    is_ours,
    keyframes_of,
    mark_of,
    sent_box,
)
from cvat_bridge.thinning import keyframe_positions
from cvat_bridge.wire import Annotations, Job, Label, Track
from spam_model.errors import InputError
from spam_model.values import Labels
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

SAME_OBJECT_SHARE = 0.5  # of our track's frames in the job, over which a person's track covers it


@dataclass(frozen=True)
class JobPlan:
    """Changes to one job.

    Attributes:
        remove: tracks of ours that are to go.
        keep: (identity, digest) of those of ours that stay as they are.
        persons: how many tracks are people's.
        covered: how many of ours are left out because a person drew, edited or deleted that object there.
        finished: people have finished the job: nothing in it is changed.
    """

    job_id: int
    create: tuple[TrackPart, ...]
    remove: tuple[Track, ...]
    keep: frozenset[tuple[int, str]]
    persons: int
    covered: int
    finished: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.create and not self.remove


@dataclass(frozen=True)
class Plan:
    jobs: tuple[JobPlan, ...]

    @property
    def is_empty(self) -> bool:
        return all(job.is_empty for job in self.jobs)

    def summary(self) -> dict[str, int]:
        return {
            "create": sum(len(job.create) for job in self.jobs),
            "remove": sum(len(job.remove) for job in self.jobs),
            "keep": sum(len(job.keep) for job in self.jobs),
            "persons": sum(job.persons for job in self.jobs),
            "covered_by_persons": sum(job.covered for job in self.jobs),
            "finished_jobs": sum(job.finished for job in self.jobs),
        }


def plan_push(
    labels: Labels,
    identity_of: Mapping[int, int],
    jobs: tuple[Job, ...],
    current: Mapping[int, Annotations],
    label_specs: tuple[Label, ...],
    written: Container[str],
    withheld: Mapping[int, frozenset[int]],
) -> Plan:
    """Compares the labels with what stands in each job.

    Args:
        labels: what should stand there; frames are the task's.
        identity_of: track -> lasting identity.
        jobs: the task's annotation jobs.
        current: job id -> its annotations now.
        label_specs: the task's labels, by name the model's classes.
        written: digests that we wrote before, for labels without our attribute.
        withheld: job id -> identities that a person deleted there; they are not pushed again.
    """
    by_id = {label.id: label for label in label_specs}
    label_of_class = {position: _label_id(label_specs, name) for position, name in enumerate(labels.info.class_names)}
    return Plan(
        tuple(
            _plan_job(
                job,
                job_parts(labels, identity_of, job, label_of_class),
                current[job.id].tracks,
                by_id,
                written,
                withheld.get(job.id, frozenset()),
            )
            for job in jobs
        )
    )


def _plan_job(
    job: Job,
    wanted: list[TrackPart],
    current: tuple[Track, ...],
    by_id: Mapping[int, Label],
    written: Container[str],
    withheld: frozenset[int],
) -> JobPlan:
    """A track of ours whose identity is withheld was deleted once and then put back by a person: it is theirs."""
    ours = {
        track.id: track
        for track in current
        if is_ours(track, by_id.get(track.label_id), written) and _identity(track, by_id) not in withheld
    }
    persons = [track for track in current if track.id not in ours]
    left_to_people = withheld | {_identity(track, by_id) for track in persons}
    covered = covered_by_persons(wanted, persons, job.stop_frame)
    free = [
        part
        for part, is_covered in zip(wanted, covered.tolist(), strict=True)
        if part.identity not in left_to_people and not is_covered
    ]
    standing = {(_identity(track, by_id), digest_of(track)): track.id for track in ours.values()}
    needed = {(part.identity if _has_mark(part, by_id) else None, part.digest): part for part in free}
    stay = {standing[key] for key in needed if key in standing}
    return JobPlan(
        job_id=job.id,
        create=() if job.is_finished else tuple(part for key, part in needed.items() if key not in standing),
        remove=() if job.is_finished else tuple(track for key, track in ours.items() if key not in stay),
        keep=frozenset((part.identity, part.digest) for key, part in needed.items() if key in standing),
        persons=len(persons),
        covered=len(wanted) - len(free),
        finished=job.is_finished,
    )


def job_parts(
    labels: Labels, identity_of: Mapping[int, int], job: Job, label_of_class: Mapping[int, int]
) -> list[TrackPart]:
    """The labels' tracks cut to a job's frames and thinned to keyframes; gaps and ends become ``outside``."""
    parts = []
    for track in labels.track_ids.tolist():
        rows = np.arange(labels.rows(track).start, labels.rows(track).stop)
        rows = rows[(labels.frame[rows] >= job.start_frame) & (labels.frame[rows] <= job.stop_frame)]
        if len(rows) == 0:
            continue
        parts.append(
            TrackPart(
                job_id=job.id,
                identity=identity_of[track],
                label_id=label_of_class[int(labels.class_id[rows[0]])],
                keyframes=tuple(_keyframes(labels, rows, job.stop_frame)),
                uncertainty=float(labels.uncertainty[rows].max()),
            )
        )
    return parts


def _keyframes(labels: Labels, rows: IntArray, stop_frame: int) -> list[Keyframe]:
    result: list[Keyframe] = []
    frame = labels.frame[rows]
    for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(frame) > 1) + 1):
        members = rows[run]
        kept = members[keyframe_positions(labels.frame[members], labels.box[members], labels.occluded[members])]
        result += [
            Keyframe(int(labels.frame[row]), sent_box(labels.box[row]), False, bool(labels.occluded[row]))
            for row in kept
        ]
        after = int(labels.frame[members[-1]]) + 1
        if after <= stop_frame:
            result.append(Keyframe(after, result[-1].box, True, result[-1].occluded))
    return result


def covered_by_persons(wanted: list[TrackPart], persons: list[Track], stop_frame: int) -> BoolArray:
    """Which of our parts a person's track of the same label shows: IoU ≥ 0.5 on at least half of our frames. [P]."""
    ours = Boxes.of([interpolate(part.keyframes) for part in wanted])
    theirs = Boxes.of([interpolate(keyframes_of(track), last_frame=stop_frame) for track in persons])
    length = np.bincount(ours.owner, minlength=ours.count)  # [P]
    same_label = np.equal.outer([part.label_id for part in wanted], [track.label_id for track in persons])  # [P, T]
    hits = np.where(same_label, agreeing_frames(ours, theirs), 0).max(axis=1, initial=0)
    return np.asarray(hits >= np.maximum(SAME_OBJECT_SHARE * length, 1))


def interpolate(keyframes: tuple[Keyframe, ...], last_frame: int | None = None) -> tuple[IntArray, FloatArray]:
    """Frames and boxes that CVAT shows for these keyframes: linear in between, nothing while outside.

    On the way to an outside keyframe the box moves towards the hidden one. A track whose last keyframe is not outside
    goes on with that box until ``last_frame``.
    """
    frames: list[IntArray] = []
    boxes: list[FloatArray] = []
    for position, here in enumerate(keyframes):
        following = keyframes[position + 1] if position + 1 < len(keyframes) else None
        if here.outside:
            continue
        stop = here.frame if last_frame is None else last_frame
        end = following.frame if following else max(here.frame, stop) + 1
        span = np.arange(here.frame, end)
        start_box = np.array(here.box)
        end_box = np.array(following.box) if following else start_box
        share = (span - here.frame) / max(end - here.frame, 1)
        frames.append(span)
        boxes.append(start_box + share[:, None] * (end_box - start_box))
    if not frames:
        return np.zeros(0, np.int64), np.zeros((0, 4))
    return np.concatenate(frames), np.concatenate(boxes)


def _identity(track: Track, by_id: Mapping[int, Label]) -> int | None:
    mark = mark_of(track, by_id.get(track.label_id))
    return mark.identity if mark else None


def _has_mark(part: TrackPart, by_id: Mapping[int, Label]) -> bool:
    return by_id[part.label_id].attribute(ID_ATTRIBUTE) is not None


def _label_id(labels: tuple[Label, ...], name: str) -> int:
    for label in labels:
        if label.name == name:
            return label.id
    raise InputError(f"the task has no label {name!r}, it has: {', '.join(label.name for label in labels)}")
