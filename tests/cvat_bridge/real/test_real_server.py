"""The same story against a real CVAT: ``CVAT_URL=... CVAT_ACCESS_TOKEN=... pytest -m cvat``.

Makes a project, a task and a review task there, checks them, and deletes what it made.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cvat_sdk.core.client import Client

from cvat_bridge.assembly import open_journal, sync_task
from cvat_bridge.connection import configure_arguments, connect
from cvat_bridge.demo.world import demo_clip, make_task
from cvat_bridge.progress import Progress
from cvat_bridge.server import CvatReader
from cvat_bridge.sync import SyncOptions
from spam_model.detectors.registry import create_source

pytestmark = pytest.mark.cvat


@pytest.fixture
def client() -> Iterator[Client]:
    if not {"CVAT_URL", "CVAT_ACCESS_TOKEN"} <= os.environ.keys():
        pytest.skip("needs a real CVAT server: set CVAT_URL and CVAT_ACCESS_TOKEN")
    parser = argparse.ArgumentParser()
    configure_arguments(parser)
    with connect(parser.parse_args(["--server-host", os.environ["CVAT_URL"]])) as client:
        yield client


def test_a_task_is_labelled_and_its_questions_wait_for_reviewers(client: Client, tmp_path: Path) -> None:
    clip = demo_clip(None, None, tmp_path, frames=40)
    task_id = make_task(client, clip, ("person",))
    made = [client.tasks.retrieve(task_id).project_id]
    try:
        source = create_source("simulated", folder=clip.folder)
        said = {"frame_rate": 10.0}
        options = SyncOptions(budget=0.02, rounds=1)
        first = sync_task(client, task_id, tmp_path / "state", said, options, Progress(quiet=True), source)
        assert first.phase == "waiting"
        assert first.review_task is not None
        made.append(client.tasks.retrieve(first.review_task).project_id)
        assert first.changes["create"] > 0

        with open_journal(client, tmp_path / "state", task_id) as journal:
            intents = journal.count_intents()
        second = sync_task(client, task_id, tmp_path / "state", said, options, Progress(quiet=True), source)
        assert second.changes == {**second.changes, "create": 0, "remove": 0}
        assert second.questions == first.questions
        with open_journal(client, tmp_path / "state", task_id) as journal:
            assert journal.count_intents() == intents

        reader = CvatReader(client)
        tags = [tag for job in reader.jobs(first.review_task) for tag in reader.annotations(job.id).tags]
        assert all(tag.attributes[0].value == "?" for tag in tags)
    finally:
        for project in made:
            client.projects.remove_by_ids([project])
