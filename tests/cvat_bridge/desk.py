"""A job that is pushed to by a test, without a model."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from cvat_sdk import Client

from cvat_bridge.journal import Journal
from cvat_bridge.plan import Plan, plan_push
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Job, Label, Track
from cvat_bridge.writer import CvatWriter
from spam_model.values import Labels
from tests.cvat_bridge import bench
from tests.cvat_bridge.builders import labels, straight


@dataclass
class Desk:
    """A task with one job, and what the bridge needs to push to it."""

    client: Client
    reader: CvatReader
    writer: CvatWriter
    journal: Journal
    task: int

    @property
    def job(self) -> Job:
        (job,) = self.reader.jobs(self.task)
        return job

    @property
    def labels(self) -> tuple[Label, ...]:
        return self.reader.labels(self.task)

    @property
    def tracks(self) -> tuple[Track, ...]:
        return self.reader.annotations(self.job.id).tracks

    @property
    def left_edges(self) -> list[float]:
        """Where the tracks begin: tells them apart."""
        return sorted(track.shapes[0].points[0] for track in self.tracks)

    def plan(self, wanted: Labels, identity_of: dict[int, int] | None = None) -> Plan:
        return plan_push(
            wanted,
            identity_of or {int(track): int(track) for track in wanted.track_ids},
            (self.job,),
            {self.job.id: self.reader.annotations(self.job.id)},
            self.labels,
            self.journal.written(self.job.id),
            {},
        )

    def push(self, wanted: Labels, identity_of: dict[int, int] | None = None) -> Plan:
        plan = self.plan(wanted, identity_of)
        self.writer.push(plan, self.labels, self.journal.next_run(), lambda count: None)
        return plan

    def intents(self) -> list[tuple[str, str]]:
        raw = sqlite3.connect(self.journal.folder / "journal.sqlite")
        found = raw.execute("SELECT kind, state FROM intent ORDER BY id").fetchall()
        raw.close()
        return found


def two(x1: float = 10.0) -> Labels:
    return labels({1: straight(0, 25, x1), 2: straight(5, 29, 200.0, -1)}, bench.INFO)
