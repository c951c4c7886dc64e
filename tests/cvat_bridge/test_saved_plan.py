"""A saved plan is done as it was shown, or refused with the name of what has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cvat_sdk import Client, models

from cvat_bridge.backend import BackendDescription
from cvat_bridge.fingerprint import changed_parts, fingerprint
from cvat_bridge.saved_plan import SavedPlan, read_plan, write_plan
from cvat_bridge.sync import SyncOptions, SyncReport
from spam_model.errors import FormatError, InputError
from tests.cvat_bridge.bench import Bench
from tests.cvat_bridge.builders import INFO, PERSON, job
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.proxy import Proxy

MODEL = BackendDescription("local", "cpu", "weights 1", "simulated")


@pytest.fixture
def bench(lead: Client, proxy: Proxy, make_task: MakeTask, sequence: Path, tmp_path: Path) -> Bench:
    made = Bench(lead, sequence, tmp_path / "state", make_task(segment_size=20))
    proxy.reset()
    return made


def test_a_plan_is_done_as_it_was_shown_and_only_once(bench: Bench, proxy: Proxy, tmp_path: Path) -> None:
    plan = bench.plan()
    assert not proxy.writes
    assert plan.report.phase == "planned"
    assert sum(plan.report.would_ask.values()) > 0
    write_plan(tmp_path / "plan.json", plan)
    assert read_plan(tmp_path / "plan.json") == plan
    done = bench.apply(plan)
    assert done.changes == plan.report.changes
    assert (done.phase, done.questions) == ("waiting", sum(plan.report.would_ask.values()))
    assert sum(query.clicks for query in bench.session().asked) == plan.report.would_click
    proxy.reset()
    with pytest.raises(InputError, match="the annotations of job"):
        bench.apply(plan)
    assert not proxy.writes


def test_what_people_change_meanwhile_is_named_and_nothing_is_sent(bench: Bench, proxy: Proxy, lead: Client) -> None:
    plan = bench.plan()
    first, second = bench.reader.jobs(bench.task)
    (label,) = bench.reader.labels(bench.task)
    shape = models.TrackedShapeRequest(type="rectangle", frame=0, points=[1.0, 200.0, 20.0, 239.0])
    drawn = models.LabeledTrackRequest(frame=0, label_id=label.id, source="manual", shapes=[shape])
    bench.patch(first.id, "create", tracks=[drawn])

    def refused(*names: str) -> None:
        proxy.reset()
        with pytest.raises(InputError, match="has changed since it was planned") as caught:
            bench.apply(plan)
        assert not proxy.writes
        said = str(caught.value).partition(": ")[2].partition(";")[0]
        assert set(names) <= set(said.split(", ")) <= {*names, "the tracks and questions that follow"}

    refused(f"the annotations of job {first.id}")
    lead.api_client.jobs_api.destroy_annotations(first.id)
    lead.api_client.jobs_api.partial_update(
        second.id, patched_job_write_request=models.PatchedJobWriteRequest(state="completed")
    )
    lead.api_client.tasks_api.partial_update_data_meta(
        bench.task, patched_data_meta_write_request=models.PatchedDataMetaWriteRequest(deleted_frames=[3])
    )
    refused("its jobs", "its frames")
    lead.api_client.jobs_api.partial_update(
        second.id, patched_job_write_request=models.PatchedJobWriteRequest(state="new")
    )
    lead.api_client.tasks_api.partial_update_data_meta(
        bench.task, patched_data_meta_write_request=models.PatchedDataMetaWriteRequest(deleted_frames=[])
    )
    assert bench.apply(plan).changes == plan.report.changes, "everything is as it was planned again"
    later = bench.plan()
    bench.answer(bench.reader.jobs(bench.review_tasks()[0])[:1])
    plan = later
    refused("its questions and answers")


def test_every_part_is_told_apart() -> None:
    body = {"version": 3, "tracks": [{"id": 1, "frame": 0}, {"id": 2, "frame": 5}], "tags": [], "shapes": []}

    def parts(**changes: object) -> dict[str, str]:
        given = {
            "frames": SimpleNamespace(info=INFO, deleted=frozenset({4})),
            "labels": (PERSON,),
            "jobs": (job(),),
            "annotations": {1: body},
            "session": None,
            "settings": {"detector": "a"},
            "model": MODEL,
        }
        return fingerprint(**{**given, **changes})  # type: ignore[arg-type]

    def other(**changes: object) -> tuple[str, ...]:
        return changed_parts(parts(), parts(**changes))

    renumbered = {**body, "version": 4, "tracks": [{"id": 9, "frame": 5}, {"id": 8, "frame": 0}]}
    moved = {**body, "tracks": [{"id": 1, "frame": 0}, {"id": 2, "frame": 6}]}
    assert other() == other(annotations={1: renumbered}) == ()
    assert other(annotations={1: moved}) == ("the annotations of job 1",)
    assert other(labels=(PERSON.model_copy(update={"name": "car"}),)) == ("its labels",)
    assert other(jobs=(job(stop=58),)) == other(jobs=(job(state="completed"),)) == ("its jobs",)
    assert other(settings={"detector": "b"}) == ("the settings",)
    assert other(model=replace(MODEL, model_version="weights 2")) == ("the model",)
    assert other(model=replace(MODEL, kind="remote", device="cuda")) == ()
    assert other(jobs=(job(), job(2, 60, 99)), annotations={1: body, 2: body}) == (
        "its jobs",
        "the annotations of job 2",
    )


DAMAGE: dict[str, Callable[[dict[str, object]], object]] = {
    "no JSON": lambda plan: "{",
    "another format": lambda plan: {**plan, "format": "a shopping list"},
    "a later version": lambda plan: {**plan, "version": 2},
    "a part that is missing": lambda plan: {name: value for name, value in plan.items() if name != "parts"},
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_file_that_is_no_plan_is_refused(name: str, tmp_path: Path, some_plan: SavedPlan) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, some_plan)
    damaged = DAMAGE[name](json.loads(path.read_text()))
    path.write_text(damaged if isinstance(damaged, str) else json.dumps(damaged))
    with pytest.raises(FormatError, match="make one with plan -o"):
        read_plan(path)


def test_a_plan_of_another_task_or_server_is_refused(some_plan: SavedPlan) -> None:
    some_plan.check_place("https://cvat.example", [7])
    for place in (("https://other.example", [7]), ("https://cvat.example", [8]), ("https://cvat.example", [7, 8])):
        with pytest.raises(InputError, match=r"it is of task 7 on https://cvat\.example"):
            some_plan.check_place(*place)


@pytest.fixture
def some_plan() -> SavedPlan:
    report = SyncReport(7, "planned", 0, 3, 0, 10, 0.0, 0, 0, None, {"create": 1}, ())
    return SavedPlan("https://cvat.example", 7, {"detector": "a"}, SyncOptions(reviewers=("ann",)), {"x": "1"}, report)
