"""Where is the object in the middle of a gap? From the question in CVAT to the label in CVAT, on both backends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from cvat_sdk import Client, models

from cvat_bridge.assembly import open_journal, sync_task
from cvat_bridge.cards import LinearMap, parse_card_file_name
from cvat_bridge.ownership import mark_of
from cvat_bridge.progress import Progress
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import SyncOptions, SyncReport
from cvat_bridge.wire import Job, Shape, Track
from serverless.functions.engine import Engine
from spam_model.active.session import Session
from spam_model.active.track_review import TrackReview
from spam_model.labeler import Labeler
from spam_model.values import NOTHING, Answer, Box, LabelResult, Query
from tests.cvat_bridge import clips
from tests.cvat_bridge.backend.fakes import ServedEngine, blob_source
from tests.cvat_bridge.conftest import MakeTask

WALKER, UNSEEN = 4, range(9, 20)  # 0-based; frames in which the detector misses this one


class OnlyPlaces:
    """Track review without the questions about anything else."""

    name = "only-places"

    def rank(self, result: LabelResult, session: Session | None = None) -> Iterator[Query]:
        return (query for query in TrackReview().rank(result, session) if query.between)


@pytest.fixture(scope="module")
def detections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gap") / "det.txt"
    width, height = clips.BOX
    rows = [
        f"{frame + 1},-1,{box[0] + 1},{box[1] + 1},{width},{height},0.9"
        for frame in range(clips.FRAMES)
        for number, box in enumerate(clips.boxes(frame))
        if not (number == WALKER and frame in UNSEEN)
    ]
    path.write_text("\n".join(rows))
    return path


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    torch.set_num_threads(1)
    with ServedEngine(Engine(blob_source(), Labeler.load(device="cpu"))) as running:
        yield running.url


@dataclass
class Desk:
    """A task with a gap in one track, and what a reviewer does on its one card."""

    client: Client
    task: int
    state: Path
    said: dict[str, object]

    def sync(self) -> SyncReport:
        options = SyncOptions(budget=0.05, rounds=1)
        return sync_task(self.client, self.task, self.state, self.said, options, Progress(quiet=True))

    @property
    def reader(self) -> CvatReader:
        return CvatReader(self.client)

    @property
    def session(self) -> Session:
        with open_journal(self.client, self.state, self.task) as journal:
            session = journal.session()
        assert session is not None
        return session

    def card(self, review_task: int) -> tuple[Query, Job, Shape, LinearMap]:
        """The question about the walker whom the detector missed, with its rectangle on the card."""
        with open_journal(self.client, self.state, self.task) as journal:
            maps = {card.query_id: card.to_frame for card in journal.cards()}
        queries = {query.id: query for query in self.session.asked}
        names = [Path(frame.name).name for frame in self.reader.data_meta(review_task).frames]
        found = [
            (queries[parse_card_file_name(names[shape.frame]).query_id], job, shape)
            for job in self.reader.jobs(review_task)
            for shape in self.reader.annotations(job.id).shapes
        ]
        ((query, job, shape),) = [item for item in found if item[0].subject[0].frame in UNSEEN]
        row = maps[query.id]
        assert row is not None
        return query, job, shape, LinearMap((row[0], row[1]), row[2])

    def patch(self, job: Job, action: str, shape: Shape, points: Box) -> None:
        moved = models.LabeledShapeRequest(
            id=shape.id, type="rectangle", frame=shape.frame, label_id=shape.label_id, points=list(points)
        )
        self.client.api_client.jobs_api.partial_update_annotations(
            action=action, id=job.id, patched_labeled_data_request=models.PatchedLabeledDataRequest(shapes=[moved])
        )

    def complete(self, review_task: int) -> None:
        for job in self.reader.jobs(review_task):
            body = models.PatchedJobWriteRequest(state="completed")
            self.client.api_client.jobs_api.partial_update(job.id, patched_job_write_request=body)

    def tracks(self) -> list[Track]:
        return [track for job in self.reader.jobs(self.task) for track in self.reader.annotations(job.id).tracks]


@pytest.fixture(params=["local", "remote"])
def desk(
    request: pytest.FixtureRequest,
    lead: Client,
    make_task: MakeTask,
    detections: Path,
    served: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Desk:
    monkeypatch.setattr("cvat_bridge.sync.create_strategy", lambda name: OnlyPlaces())
    backend = served if request.param == "remote" else "local"
    said: dict[str, object] = {"backend": backend, "detector": f"file:{detections}", "frame_rate": 25.0}
    return Desk(lead, make_task(), tmp_path, said)


def test_the_box_that_a_person_draws_in_a_gap_stands_in_cvat_exactly_as_drawn(desk: Desk) -> None:
    first = desk.sync()
    assert first.phase == "waiting"
    assert first.review_task is not None
    query, job, shape, to_frame = desk.card(first.review_task)
    x1, y1, x2, y2 = clips.boxes(query.subject[0].frame)[WALKER]
    drawn = (x1 - 3.0, y1 + 2.0, x2 + 5.0, y2 + 4.0)
    desk.patch(job, "update", shape, to_frame.inverse().box(drawn))
    desk.complete(first.review_task)
    second = desk.sync()

    assert second.conflicts == ()
    assert second.clicks == query.clicks * len(desk.session.answers) == query.clicks * first.questions
    (label,) = desk.reader.labels(desk.task)
    frame = query.subject[0].frame
    (keyframe,) = [
        shape
        for track in desk.tracks()
        if mark_of(track, label)
        for shape in track.shapes
        if shape.frame == frame and not shape.outside and shape.points == pytest.approx(drawn, abs=0.02)
    ]
    assert not keyframe.occluded
    assert desk.sync().changes["create"] == 0


def test_a_rectangle_that_was_deleted_in_a_gap_changes_no_label(desk: Desk) -> None:
    first = desk.sync()
    assert first.review_task is not None
    query, *_ = desk.card(first.review_task)
    before = desk.tracks()
    for other in desk.reader.jobs(first.review_task):
        for mark in desk.reader.annotations(other.id).shapes:
            desk.patch(other, "delete", mark, mark.points)  # type: ignore[arg-type]
    desk.complete(first.review_task)
    second = desk.sync()
    assert Answer(query.id, NOTHING) in desk.session.answers
    assert (second.changes["create"], second.changes["remove"]) == (0, 0)
    assert desk.tracks() == before
