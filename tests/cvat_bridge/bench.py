"""A task that is synced by a test, and reviewers who do as they are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cvat_sdk import Client, models

from cvat_bridge.assembly import apply_plan, open_journal, plan_task, sync_task, undo_task
from cvat_bridge.cards import parse_card_file_name
from cvat_bridge.ownership import is_ours, mark_of
from cvat_bridge.progress import Progress
from cvat_bridge.saved_plan import SavedPlan
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import SyncOptions, SyncReport
from cvat_bridge.undo import UndoReport
from cvat_bridge.wire import Annotations, Job, Track
from spam_model.active.oracle import Oracle
from spam_model.active.registry import DEFAULT_STRATEGY
from spam_model.active.session import Session
from spam_model.data.motchallenge import read_ground_truth
from spam_model.detectors.base import CandidateSource
from spam_model.detectors.registry import create_source
from spam_model.storage import read_candidates
from spam_model.values import ClipInfo, Query
from tests.cvat_bridge.clips import FRAMES, HEIGHT, WIDTH

INFO = ClipInfo("street", FRAMES, 25.0, WIDTH, HEIGHT)
BUDGET = 0.014  # about eight clicks
SAID = {"detector": "simulated", "frame_rate": 25.0}

Answerer = Callable[[Query], str]


@dataclass
class Bench:
    """``state`` is where the journals lie; ``task`` is the task to be labelled."""

    client: Client
    sequence: Path
    state: Path
    task: int

    @property
    def reader(self) -> CvatReader:
        return CvatReader(self.client)

    def sync(
        self,
        budget: float | None = BUDGET,
        rounds: int = 2,
        dry_run: bool = False,
        reviewers: tuple[str, ...] = (),
        strategy: str = DEFAULT_STRATEGY,
    ) -> SyncReport:
        options = SyncOptions(budget, rounds, strategy, reviewers, dry_run)
        return sync_task(self.client, self.task, self.state, SAID, options, Progress(quiet=True), self.source())

    def plan(self, budget: float | None = BUDGET, rounds: int = 2) -> SavedPlan:
        options = SyncOptions(budget, rounds)
        return plan_task(self.client, self.task, self.state, SAID, options, Progress(quiet=True), self.source())

    def apply(self, plan: SavedPlan) -> SyncReport:
        return apply_plan(self.client, plan, self.state, Progress(quiet=True), self.source())

    def source(self) -> CandidateSource:
        return create_source("simulated", folder=self.sequence, seed=0)

    def undo(self, run: str | None = None, dry_run: bool = False) -> UndoReport:
        return undo_task(self.client, self.task, self.state, run, dry_run, Progress(quiet=True))

    def session(self) -> Session:
        with open_journal(self.client, self.state, self.task) as journal:
            session = journal.session()
        assert session is not None
        return session

    def annotations(self) -> dict[int, Annotations]:
        return {job.id: self.reader.annotations(job.id) for job in self.reader.jobs(self.task)}

    def tracks(self) -> list[Track]:
        return [track for annotations in self.annotations().values() for track in annotations.tracks]

    def ours(self) -> Counter[tuple[int, int]]:
        """How often each (job, identity) of ours stands."""
        (label,) = self.reader.labels(self.task)
        return Counter(
            (job, mark.identity if (mark := mark_of(track, label)) else 0)
            for job, annotations in self.annotations().items()
            for track in annotations.tracks
            if is_ours(track, label, frozenset())
        )

    def review_tasks(self) -> list[int]:
        project = self.reader.project_named(f"street · review of task {self.task}")
        if project is None:
            return []
        found, _ = self.client.api_client.tasks_api.list(project_id=project.id, page_size=100)
        return sorted(task.id for task in found.results)

    def answer(self, jobs: Iterable[Job], say: Answerer | None = None) -> int:
        """Sets each tag of these review jobs and completes them; by ground truth, unless told otherwise."""
        queries = {query.id: query for query in self.session().asked}
        say = say or self.truth()
        count = 0
        for job in jobs:
            names = [Path(frame.name).name for frame in self.reader.data_meta(job.task_id).frames]
            tags = [
                models.LabeledImageRequest(
                    id=tag.id,
                    frame=tag.frame,
                    label_id=tag.label_id,
                    source="auto",
                    attributes=[models.AttributeValRequest(spec_id=tag.attributes[0].spec_id, value=say(query))],
                )
                for tag in self.reader.annotations(job.id).tags
                if (query := queries[parse_card_file_name(names[tag.frame]).query_id])
            ]
            self.patch(job.id, "update", tags=tags)
            self.complete(job)
            count += len(tags)
        return count

    def truth(self) -> Answerer:
        with open_journal(self.client, self.state, self.task) as journal:
            candidates = read_candidates(journal.folder / "candidates.safetensors")
        oracle = Oracle(candidates, read_ground_truth(self.sequence / "gt" / "gt.txt", INFO))
        return lambda query: oracle.answer(query).choice

    def complete(self, job: Job) -> None:
        body = models.PatchedJobWriteRequest(state="completed")
        self.client.api_client.jobs_api.partial_update(job.id, patched_job_write_request=body)

    def patch(self, job_id: int, action: str, **objects: object) -> None:
        self.client.api_client.jobs_api.partial_update_annotations(
            action=action, id=job_id, patched_labeled_data_request=models.PatchedLabeledDataRequest(**objects)
        )


def request_of(track: Track, **changes: object) -> models.LabeledTrackRequest:
    """A track as a person's page sends it back, with changes."""
    fields = {
        "id": track.id,
        "frame": track.frame,
        "label_id": track.label_id,
        "source": "semi-auto",
        "group": 0,
        "attributes": [models.AttributeValRequest(**value.model_dump()) for value in track.attributes],
        "shapes": [
            models.TrackedShapeRequest(
                type="rectangle",
                frame=shape.frame,
                points=list(shape.points),
                outside=shape.outside,
                occluded=shape.occluded,
                attributes=[],
            )
            for shape in track.shapes
        ],
    }
    return models.LabeledTrackRequest(**(fields | changes))
