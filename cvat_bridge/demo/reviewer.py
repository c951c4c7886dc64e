"""A simulated reviewer: a CVAT user who opens the assigned jobs, answers the cards and finishes the job.

Sees what a reviewer sees, through the same API: the job, its frames' names, the tag or rectangle on each. What a person
would read off the picture comes from an annotator that knows the ground truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cvat_sdk import models
from cvat_sdk.core.client import Client

from cvat_bridge.cards import LinearMap, parse_card_file_name
from cvat_bridge.connection import send
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Job, Label, Shape, Tag
from spam_model.active.loop import Annotator
from spam_model.values import Box, Query

MapRow = tuple[float, float, float]


class SimulatedReviewer:
    def __init__(self, client: Client, annotator: Annotator) -> None:
        self._api = client.api_client
        self._reader = CvatReader(client)
        self._annotator = annotator

    def work(self, task_id: int, queries: Mapping[str, Query], maps: Mapping[str, MapRow | None]) -> int:
        """Answers and completes this user's open jobs of a review task. Returns the number of cards answered.

        Args:
            queries: what is asked, by question id; a person reads it off the card.
            maps: card px -> frame px (offset x, y, scale) of the cards with a rectangle.
        """
        me = self._reader.self_user()
        answered = 0
        for job in self._reader.jobs(task_id):
            if job.state == "completed" or job.assignee is None or job.assignee.id != me.id:
                continue
            answered += self._answer(job, queries, maps)
            body = models.PatchedJobWriteRequest(state=models.OperationStatus("completed"))
            send(self._api.jobs_api.partial_update, job.id, patched_job_write_request=body)
        return answered

    def _answer(self, job: Job, queries: Mapping[str, Query], maps: Mapping[str, MapRow | None]) -> int:
        names = [Path(frame.name).name for frame in self._reader.job_meta(job.id).frames]
        card_of = {job.start_frame + i: parse_card_file_name(name).query_id for i, name in enumerate(names)}
        labels = {label.id: label for label in self._reader.job_labels(job.id)}
        standing = self._reader.annotations(job.id)
        tags = [self._answered_tag(tag, queries[card_of[tag.frame]], labels[tag.label_id]) for tag in standing.tags]
        dragged, deleted = [], []
        for shape in standing.shapes:
            query_id = card_of[shape.frame]
            box = self._annotator.answer(queries[query_id]).box
            if box is None:
                deleted.append(_shape_request(shape, shape.points))
            else:
                dragged.append(_shape_request(shape, _on_card(box, maps[query_id])))
        self._save(job.id, "update", models.PatchedLabeledDataRequest(tags=tags, shapes=dragged))
        if deleted:
            self._save(job.id, "delete", models.PatchedLabeledDataRequest(shapes=deleted))
        return len(tags) + len(standing.shapes)

    def _save(self, job_id: int, action: str, body: models.PatchedLabeledDataRequest) -> None:
        send(
            self._api.jobs_api.partial_update_annotations,
            action=action,
            id=job_id,
            patched_labeled_data_request=body,
        )

    def _answered_tag(self, tag: Tag, query: Query, label: Label) -> models.LabeledImageRequest:
        answer = self._annotator.answer(query).choice
        return models.LabeledImageRequest(
            id=tag.id,
            frame=tag.frame,
            label_id=tag.label_id,
            source="auto",
            attributes=[models.AttributeValRequest(spec_id=label.attributes[0].id, value=answer)],
        )


def _on_card(box: Box, row: MapRow | None) -> Box:
    assert row is not None
    return LinearMap((row[0], row[1]), row[2]).inverse().box(box)


def _shape_request(shape: Shape, points: Sequence[float]) -> models.LabeledShapeRequest:
    return models.LabeledShapeRequest(
        id=shape.id,
        type=models.ShapeType("rectangle"),
        frame=shape.frame,
        label_id=shape.label_id,
        points=list(points),
        source="semi-auto",
        attributes=[],
    )
