"""The only module that writes to CVAT.

Track writes are write-ahead: snapshot, intent, send, read back, commit. CVAT has no idempotency key and an answer may
be lost after the server has committed (504, timeout), so an unknown outcome is settled by reading before anything is
sent again. Objects that we did not make are never changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cvat_sdk import models
from cvat_sdk.core.client import Client
from cvat_sdk.core.exceptions import BackgroundRequestException

from cvat_bridge.connection import as_server_error, parse_json, read_json, send
from cvat_bridge.journal import Journal
from cvat_bridge.ownership import (
    ID_ATTRIBUTE,
    UNCERTAINTY_ATTRIBUTE,
    TrackPart,
    digest_of,
    is_ours,
    mark_of,
    missing_attributes,
)
from cvat_bridge.plan import JobPlan, Plan
from cvat_bridge.progress import Advance
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Label, Project, Tag, Task, Track, User, parse
from spam_model.errors import InputError, ServerError
from spam_model.values import Box

log = logging.getLogger(__name__)

SEND_ATTEMPTS = 3
SETTLE_SECONDS = 1.0  # before reading what an unknown outcome has left
KEYFRAMES_PER_CALL = 20_000  # about 3 MB and 2 s on a real server
UNKNOWN_OUTCOME = frozenset({None, 408, 429, 500, 502, 503, 504})
CARD_QUALITY = 95


class CvatWriter:
    def __init__(self, client: Client, reader: CvatReader, journal: Journal) -> None:
        self._client = client
        self._api = client.api_client
        self._reader = reader
        self._journal = journal

    def push(self, plan: Plan, labels: tuple[Label, ...], run: str, progress: Advance) -> None:
        """Applies a plan job by job: new tracks first, then those they replace, so that no label is ever missing.

        ``progress`` is called with the number of tracks done.

        Raises:
            ServerError: a write was refused or cannot be confirmed; a later push goes on from what stands then.
        """
        by_id = {label.id: label for label in labels}
        for job in plan.jobs:
            if job.is_empty:
                continue
            self._journal.snapshot(run, job.job_id, self._reader.raw_annotations(job.job_id))
            for batch in _batches(job.create):
                with self._intent(run, "create tracks", job.job_id, [part.mark(run) for part in batch]):
                    self._create(job.job_id, batch, by_id, run)
                progress(len(batch))
            if job.remove:
                with self._intent(run, "remove tracks", job.job_id, [str(track.id) for track in job.remove]):
                    self._remove(job, by_id)
                progress(len(job.remove))

    @contextmanager
    def _intent(self, run: str, kind: str, job_id: int, body: list[str]) -> Iterator[None]:
        """Enters what is about to be sent; closed as failed where that is certain, left open where it is not."""
        intent = self._journal.intend(run, kind, f"job {job_id}", body)
        try:
            yield
        except ServerError as error:
            if error.status not in UNKNOWN_OUTCOME:
                self._journal.close_intent(intent, committed=False)
            raise
        self._journal.close_intent(intent, committed=True)

    def _create(self, job_id: int, parts: list[TrackPart], by_id: dict[int, Label], run: str) -> None:
        tracks = [(part.identity, part.digest) for part in parts]
        self._journal.add_written(job_id, tracks)
        missing = parts
        for attempt in range(1, SEND_ATTEMPTS + 1):
            body = models.PatchedLabeledDataRequest(tracks=[_track_request(part, by_id, run) for part in missing])
            self._send_annotations(job_id, "create", body, last=attempt == SEND_ATTEMPTS)
            standing = {
                (mark.identity if (mark := mark_of(track, by_id.get(track.label_id))) else None, digest_of(track))
                for track in self._standing(job_id, by_id)
            }
            missing = [
                part
                for part in missing
                if not standing.intersection({(part.identity, part.digest), (None, part.digest)})
            ]
            if not missing:
                self._journal.confirm(job_id, tracks)
                return
        raise ServerError(f"job {job_id}: {len(missing)} tracks did not read back as written; run sync again")

    def _remove(self, job: JobPlan, by_id: dict[int, Label]) -> None:
        ids = {track.id for track in job.remove}
        staying = {digest for _, digest in job.keep} | {part.digest for part in job.create}
        self._journal.unconfirm(job.job_id, {digest_of(track) for track in job.remove} - staying)
        for attempt in range(1, SEND_ATTEMPTS + 1):
            standing = [track for track in self._standing(job.job_id, by_id) if track.id in ids]
            if not standing:
                return
            body = models.PatchedLabeledDataRequest(
                tracks=[
                    models.LabeledTrackRequest(
                        id=track.id, frame=track.frame, label_id=track.label_id, shapes=[_first_shape(track)]
                    )
                    for track in standing
                ]
            )
            self._send_annotations(job.job_id, "delete", body, last=attempt == SEND_ATTEMPTS)
        if any(track.id in ids for track in self._standing(job.job_id, by_id)):
            raise ServerError(f"job {job.job_id}: replaced tracks are still there; run sync again")

    def _standing(self, job_id: int, by_id: dict[int, Label]) -> list[Track]:
        """The job's tracks that are ours, read now: a person may have edited one since the plan was made."""
        written = self._journal.written(job_id)
        tracks = self._reader.annotations(job_id).tracks
        return [track for track in tracks if is_ours(track, by_id.get(track.label_id), written)]

    def _send_annotations(self, job_id: int, action: str, body: object, *, last: bool) -> None:
        """Sends once. An unknown outcome is no error here unless it is the last attempt: the caller reads back."""
        try:
            send(
                self._api.jobs_api.partial_update_annotations,
                action=action,
                id=job_id,
                patched_labeled_data_request=body,
            )
        except ServerError as error:
            if last or error.status not in UNKNOWN_OUTCOME:
                raise
            log.warning("%s; reading job %d to see what stands", error, job_id)
            time.sleep(SETTLE_SECONDS)

    def add_label_attributes(self, label: Label) -> None:
        """Adds the attributes that hold identity and uncertainty, where they are missing; nothing else changes.

        The colour goes along because CVAT sets one that is not given back to its default.
        """
        missing = missing_attributes(label)
        if not missing:
            return
        attributes = [
            models.AttributeRequest(
                name=name, mutable=False, input_type=models.InputTypeEnum("text"), default_value="", values=[]
            )
            for name in missing
        ]
        color = {"color": label.color} if label.color else {}
        body = models.PatchedLabelRequest(attributes=attributes, **color)
        send(self._api.labels_api.partial_update, label.id, patched_label_request=body)

    def review_project(self, name: str, labels: list[dict[str, object]]) -> Project:
        """The project of this name, made if there is none."""
        found = self._reader.project_named(name)
        if found is not None:
            return found
        request = models.ProjectWriteRequest(
            name=name,
            labels=[
                models.PatchedLabelRequest(
                    **{**label, "attributes": [models.AttributeRequest(**spec) for spec in _specs(label)]}
                )
                for label in labels
            ],
        )
        return parse(
            Project,
            parse_json(send(self._api.projects_api.create, request), "create a project"),
            f"project {name!r}",
        )

    def review_task(self, name: str, project_id: int, cards: list[Path], jobs: list[list[str]]) -> Task:
        """The review task of this name with its cards, one job per list of file names; made if there is none.

        A task left without frames by an interrupted upload is ours and empty: it is made anew.
        """
        found = self._reader.task_named(name, project_id)
        if found is not None and found.size:
            standing = sorted(Path(frame.name).name for frame in self._reader.data_meta(found.id).frames)
            if standing != sorted(path.name for path in cards):
                raise InputError(
                    f"review task {found.id} ({name!r}) holds other cards than this round asks, perhaps with answers: "
                    "rename it in CVAT to keep it, then run sync again"
                )
            return found
        if found is not None:
            send(self._api.tasks_api.destroy, found.id)
        try:
            made = self._client.tasks.create_from_data(
                models.TaskWriteRequest(name=name, project_id=project_id),
                resources=cards,
                data_params={"image_quality": CARD_QUALITY, "job_file_mapping": jobs},
            )
        except BackgroundRequestException as error:
            raise ServerError(f"CVAT could not make the review task {name!r}: {error}") from error
        except Exception as error:
            raise as_server_error(error, f"make the review task {name!r}") from error
        return self._reader.task(made.id)

    def remove_review_task(self, task_id: int) -> None:
        """Removes a review task; one that is gone already is no error."""
        try:
            send(self._api.tasks_api.destroy, task_id)
        except ServerError as error:
            if error.status != 404:
                raise

    def put_cards(self, job_id: int, tags: dict[int, tuple[int, int]], rectangles: dict[int, tuple[int, Box]]) -> None:
        """Lays the question's tag, or its rectangle, on each card that has none yet.

        Args:
            tags: frame -> (label id, attribute id). rectangles: frame -> (label id, box in card px).
        """
        for attempt in range(1, SEND_ATTEMPTS + 1):
            standing = self._reader.annotations(job_id)
            done = {tag.frame for tag in standing.tags} | {shape.frame for shape in standing.shapes}
            body = models.PatchedLabeledDataRequest(
                tags=[_tag_request(frame, *tag) for frame, tag in tags.items() if frame not in done],
                shapes=[_shape_request(frame, *shape) for frame, shape in rectangles.items() if frame not in done],
            )
            if not body.tags and not body.shapes:
                return
            self._send_annotations(job_id, "create", body, last=attempt == SEND_ATTEMPTS)

    def assign(self, job_id: int, user: User) -> None:
        send(
            self._api.jobs_api.partial_update,
            job_id,
            patched_job_write_request=models.PatchedJobWriteRequest(assignee=user.id),
        )

    def task_guide(self, task_id: int, markdown: str) -> None:
        """Makes the task's guide; one that is there already stays. Jobs of a project's tasks show the project's."""
        if read_json(self._api.tasks_api.retrieve, task_id).get("guide_id") is None:
            self._make_guide(models.AnnotationGuideWriteRequest(task_id=task_id, markdown=markdown))

    def project_guide(self, project_id: int, markdown: str) -> None:
        """Makes the project's guide; one that is there already stays."""
        if read_json(self._api.projects_api.retrieve, project_id).get("guide_id") is None:
            self._make_guide(models.AnnotationGuideWriteRequest(project_id=project_id, markdown=markdown))

    def _make_guide(self, request: models.AnnotationGuideWriteRequest) -> None:
        send(self._api.guides_api.create, annotation_guide_write_request=request)


def answered(tag: Tag) -> str:
    """The value of the tag's one attribute, ``?`` where it was left standing."""
    return tag.attributes[0].value if tag.attributes else "?"


def _track_request(part: TrackPart, by_id: dict[int, Label], run: str) -> models.LabeledTrackRequest:
    values = {ID_ATTRIBUTE: part.mark(run), UNCERTAINTY_ATTRIBUTE: f"{part.uncertainty:.3f}"}
    specs = {name: by_id[part.label_id].attribute(name) for name in values}
    return models.LabeledTrackRequest(
        frame=part.keyframes[0].frame,
        label_id=part.label_id,
        group=0,
        source="auto",
        attributes=[
            models.AttributeValRequest(spec_id=spec.id, value=values[name]) for name, spec in specs.items() if spec
        ],
        shapes=[
            models.TrackedShapeRequest(
                type=models.ShapeType("rectangle"),
                frame=keyframe.frame,
                points=list(keyframe.box),
                outside=keyframe.outside,
                occluded=keyframe.occluded,
                z_order=0,
                attributes=[],
            )
            for keyframe in part.keyframes
        ],
    )


def _tag_request(frame: int, label_id: int, spec_id: int) -> models.LabeledImageRequest:
    return models.LabeledImageRequest(
        frame=frame,
        label_id=label_id,
        group=0,
        source="auto",
        attributes=[models.AttributeValRequest(spec_id=spec_id, value="?")],
    )


def _shape_request(frame: int, label_id: int, box: Box) -> models.LabeledShapeRequest:
    return models.LabeledShapeRequest(
        type=models.ShapeType("rectangle"),
        frame=frame,
        label_id=label_id,
        points=list(box),
        source="auto",
        attributes=[],
    )


def _first_shape(track: Track) -> models.TrackedShapeRequest:
    """A delete names its track by id, but the server refuses a track without a shape."""
    shape = track.shapes[0]
    return models.TrackedShapeRequest(
        type=models.ShapeType(shape.type), frame=shape.frame, points=list(shape.points), outside=shape.outside
    )


def _batches(parts: tuple[TrackPart, ...]) -> list[list[TrackPart]]:
    """Tracks of at most ``KEYFRAMES_PER_CALL`` keyframes a call, one track at least."""
    batches: list[list[TrackPart]] = []
    room = 0
    for part in parts:
        if not batches or len(part.keyframes) > room:
            batches.append([])
            room = KEYFRAMES_PER_CALL
        batches[-1].append(part)
        room -= len(part.keyframes)
    return batches


def _specs(label: dict[str, object]) -> list[dict[str, object]]:
    specs = label.get("attributes", [])
    assert isinstance(specs, list)
    return specs
