"""The writer against a server: what is sent stands once, whatever happens on the way."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cvat_sdk import Client, models

from cvat_bridge import connection
from cvat_bridge import writer as writer_module
from cvat_bridge.journal import Journal
from cvat_bridge.ownership import digest_of, is_ours
from cvat_bridge.questions import review_labels
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Track
from cvat_bridge.writer import CvatWriter
from spam_model.errors import InputError, ServerError
from tests.cvat_bridge import bench
from tests.cvat_bridge.builders import labels, straight
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.desk import Desk, two
from tests.cvat_bridge.proxy import DROPPED, Fault, Proxy

ANNOTATIONS = r"/api/jobs/\d+/annotations"


def test_what_is_pushed_reads_back_and_is_ours(desk: Desk) -> None:
    desk.push(two())
    assert desk.left_edges == [10, 200]
    assert all(is_ours(t, desk.labels[0], desk.journal.written(desk.job.id)) for t in desk.tracks)
    assert sorted(desk.journal.confirmed(desk.job.id).values()) == [1, 2]
    assert desk.plan(two()).is_empty


def test_what_changed_is_replaced_and_the_rest_is_not_sent_again(desk: Desk, proxy: Proxy) -> None:
    desk.push(two())
    ids = {track.id for track in desk.tracks if track.shapes[0].points[0] == 200}
    proxy.reset()
    desk.push(two(14.0))
    assert desk.left_edges == [14, 200]
    assert ids < {track.id for track in desk.tracks}
    assert sum(proxy.writes.values()) == 2  # one creation, one deletion


def test_an_empty_plan_sends_nothing(desk: Desk, proxy: Proxy) -> None:
    desk.push(two())
    proxy.reset()
    desk.push(two())
    assert not proxy.writes


ACCIDENTS = {
    "the connection drops before the server has heard": Fault("PATCH", ANNOTATIONS, DROPPED),
    "the connection drops after the server has committed": Fault("PATCH", ANNOTATIONS, DROPPED, committed=True),
    "a 504 comes instead": Fault("PATCH", ANNOTATIONS, 504),
    "a 504 comes after the commit": Fault("PATCH", ANNOTATIONS, 504, committed=True),
    "a 500 comes twice": Fault("PATCH", ANNOTATIONS, 500, times=2),
    "the server asks to slow down": Fault("PATCH", ANNOTATIONS, 429),
    "the deletion's answer is lost": Fault("PATCH", ANNOTATIONS + ".*delete", DROPPED, committed=True),
    "the deletion is not heard": Fault("PATCH", ANNOTATIONS + ".*delete", 503),
    "reading back fails once": Fault("GET", ANNOTATIONS, DROPPED, skip=2),
    "reading back meets a 429": Fault("GET", ANNOTATIONS, 429, skip=2, times=2),
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_every_track_stands_once_when(desk: Desk, proxy: Proxy, name: str) -> None:
    desk.push(two())
    accident = ACCIDENTS[name]
    fault = Fault(**vars(accident))
    plan = desk.plan(two(14.0))
    proxy.faults = [fault]
    desk.writer.push(plan, desk.labels, desk.journal.next_run(), lambda count: None)
    assert fault.times == 0
    assert desk.left_edges == [14, 200]
    assert desk.plan(two(14.0)).is_empty
    assert {state for _, state in desk.intents()} == {"committed"}


def test_a_commit_that_comes_after_we_looked_is_set_right_by_the_next_push(
    desk: Desk, proxy: Proxy, lead: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway gives up, the server goes on: both the late and the repeated creation are then there."""
    plan = desk.plan(two())
    proxy.faults = [Fault("PATCH", ANNOTATIONS, 504)]
    late: list[Any] = []
    real = connection.send

    def send(endpoint: Callable[..., Any], *args: object, **kwargs: Any) -> bytes:
        late.append(kwargs.get("patched_labeled_data_request"))
        return real(endpoint, *args, **kwargs)

    monkeypatch.setattr(writer_module, "send", send)
    desk.writer.push(plan, desk.labels, "r1", lambda count: None)
    lead.api_client.jobs_api.partial_update_annotations(
        action="create", id=desk.job.id, patched_labeled_data_request=late[0]
    )
    assert desk.left_edges == [10, 10, 200, 200]
    monkeypatch.undo()
    desk.push(two())
    assert desk.left_edges == [10, 200]
    assert len(desk.journal.confirmed(desk.job.id)) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_a_refusal_stops_at_once_changes_nothing_and_is_noted(desk: Desk, proxy: Proxy, status: int) -> None:
    desk.push(two())
    plan = desk.plan(two(14.0))
    proxy.reset()
    proxy.faults = [Fault("PATCH", ANNOTATIONS, status)]
    with pytest.raises(ServerError, match=str(status)) as caught:
        desk.writer.push(plan, desk.labels, "r9", lambda count: None)
    assert caught.value.exit_code == 7
    assert sum(proxy.writes.values()) == 1
    assert desk.left_edges == [10, 200]
    assert desk.intents()[-1] == ("create tracks", "failed")
    desk.push(two(14.0))
    assert desk.left_edges == [14, 200]


def test_after_a_server_that_stays_away_the_next_push_goes_on(desk: Desk, proxy: Proxy) -> None:
    proxy.faults = [Fault("PATCH", ANNOTATIONS, 504, times=99, committed=False)]
    plan = desk.plan(two())
    with pytest.raises(ServerError, match="504"):
        desk.writer.push(plan, desk.labels, "r1", lambda count: None)
    assert sum(proxy.writes.values()) == writer_module.SEND_ATTEMPTS
    assert desk.intents() == [("create tracks", "intended")]
    proxy.reset()
    desk.push(two())
    assert desk.left_edges == [10, 200]


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


@pytest.mark.parametrize("step", ["add_written", "confirm", "unconfirm", "close_intent"])
def test_killed_at_any_step_of_a_replacement_the_next_push_ends_with_each_track_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    desk.push(two())

    def killed(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(desk.journal, step, killed)
        with pytest.raises(Killed):
            desk.push(two(14.0))
    desk.push(two(14.0))
    assert desk.left_edges == [14, 200]
    assert desk.plan(two(14.0)).is_empty


def test_killed_between_creation_and_removal_nothing_is_lost_and_nothing_stays_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.push(two())

    def killed(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(desk.writer, "_remove", killed)
        with pytest.raises(Killed):
            desk.push(two(14.0))
    assert desk.left_edges == [10, 14, 200]
    desk.push(two(14.0))
    assert desk.left_edges == [14, 200]


def test_the_same_boxes_under_another_identity_are_made_before_the_old_ones_go(desk: Desk, proxy: Proxy) -> None:
    """Else an unheard creation would look as if it stood, and the removal would leave nothing."""
    if desk.labels[0].attribute("spam_id") is None:
        assert desk.plan(two()).jobs[0].remove == ()
        return
    desk.push(two())
    plan = desk.plan(two(), {1: 8, 2: 2})
    proxy.faults = [Fault("PATCH", ANNOTATIONS, 504)]
    desk.writer.push(plan, desk.labels, desk.journal.next_run(), lambda count: None)
    assert desk.left_edges == [10, 200]
    assert sorted(desk.journal.confirmed(desk.job.id).values()) == [2, 8]


def _body(track: Track, **changes: Any) -> models.PatchedLabeledDataRequest:
    """The track as a person's page sends it back."""
    shape = {"type": "rectangle", "frame": track.frame, "points": list(track.shapes[0].points)} | changes
    attributes = [models.AttributeValRequest(**value.model_dump()) for value in track.attributes]
    request = models.LabeledTrackRequest(
        id=track.id,
        frame=track.frame,
        label_id=track.label_id,
        source="semi-auto",
        attributes=attributes,
        shapes=[models.TrackedShapeRequest(**shape)],
    )
    return models.PatchedLabeledDataRequest(tracks=[request])


def test_an_edit_between_plan_and_push_survives_the_push(desk: Desk, lead: Client) -> None:
    desk.push(two())
    plan = desk.plan(two(14.0))
    (old,) = [track for track in desk.tracks if track.shapes[0].points[0] == 10]
    lead.api_client.jobs_api.partial_update_annotations(
        action="update",
        id=desk.job.id,
        patched_labeled_data_request=_body(old, points=[77.0, 50.0, 117.0, 130.0]),
    )
    desk.writer.push(plan, desk.labels, desk.journal.next_run(), lambda count: None)
    assert desk.left_edges == [14, 77, 200]


def test_the_snapshot_is_what_stood_before_the_runs_first_write(desk: Desk) -> None:
    desk.push(two())
    before = desk.reader.raw_annotations(desk.job.id)
    desk.push(two(14.0))
    raw = sqlite3.connect(desk.journal.folder / "journal.sqlite")
    (body,) = raw.execute("SELECT body FROM snapshot WHERE run = 'r2'").fetchone()
    raw.close()
    assert json.loads(body) == before


def test_many_keyframes_go_in_several_calls(desk: Desk, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "KEYFRAMES_PER_CALL", 4)
    done: list[int] = []
    wanted = labels({number: straight(0, 20, 20.0 * number) for number in range(1, 8)}, bench.INFO)
    desk.writer.push(desk.plan(wanted), desk.labels, "r1", done.append)
    assert len(desk.tracks) == 7
    assert sum(done) == 7
    assert sum(proxy.writes.values()) == 7  # three keyframes each: no two fit a call


def test_label_attributes_are_added_and_nothing_else_changes(
    make_task: MakeTask, lead: Client, tmp_path: Path, proxy: Proxy
) -> None:
    own = models.AttributeRequest(name="team", mutable=False, input_type="select", default_value="b", values=["a", "b"])
    task = make_task(attributes=False, more=(own,))
    reader = CvatReader(lead)
    (before,) = reader.labels(task)
    with Journal(tmp_path) as journal:
        writer = CvatWriter(lead, reader, journal)
        writer.add_label_attributes(before)
        (after,) = reader.labels(task)
        proxy.reset()
        writer.add_label_attributes(after)
    assert not proxy.writes
    assert (after.name, after.color, after.type) == (before.name, "#123456", "rectangle")
    assert after.attributes[0] == before.attributes[0]
    assert [spec.name for spec in after.attributes] == ["team", "spam_id", "spam_uncertainty"]
    assert not any(spec.mutable for spec in after.attributes)


def _cards(folder: Path, *names: str) -> list[Path]:
    for name in names:
        cv2.imwrite(str(folder / name), np.full((30, 40, 3), len(name), np.uint8))
    return [folder / name for name in names]


def test_a_review_task_is_made_once_and_never_thrown_away_with_other_cards_in_it(
    lead: Client, tmp_path: Path, proxy: Proxy
) -> None:
    reader = CvatReader(lead)
    with Journal(tmp_path / "journal") as journal:
        writer = CvatWriter(lead, reader, journal)
        project = writer.review_project("review of nothing", review_labels())
        assert writer.review_project("review of nothing", review_labels()) == project
        cards = _cards(tmp_path, "r01_0000_aaaaaaaaaaaa.png", "r01_0001_bbbbbbbbbbbb.png")
        jobs = [[card.name] for card in cards]
        made = writer.review_task("round 1", project.id, cards, jobs)
        proxy.reset()
        assert writer.review_task("round 1", project.id, cards, jobs).id == made.id
        assert not proxy.writes
        for other in (
            _cards(tmp_path, "r01_0000_aaaaaaaaaaaa.png"),
            _cards(tmp_path, "r01_0000_aaaaaaaaaaaa.png", "r01_0001_cccccccccccc.png"),
        ):
            with pytest.raises(InputError, match=f"review task {made.id} .*other cards"):
                writer.review_task("round 1", project.id, other, [[card.name for card in other]])
        assert reader.task(made.id).size == 2


def test_an_empty_review_task_of_an_interrupted_upload_is_made_anew(lead: Client, tmp_path: Path, proxy: Proxy) -> None:
    reader = CvatReader(lead)
    with Journal(tmp_path / "journal") as journal:
        writer = CvatWriter(lead, reader, journal)
        project = writer.review_project("review of an upload", review_labels())
        cards = _cards(tmp_path, "r01_0000_aaaaaaaaaaaa.png")
        proxy.faults = [Fault("POST", r"/api/tasks/\d+/data", 502)]
        with pytest.raises(ServerError, match="make the review task 'round 1': CVAT answered 502"):
            writer.review_task("round 1", project.id, cards, [[cards[0].name]])
        made = writer.review_task("round 1", project.id, cards, [[cards[0].name]])
    assert made.size == 1
    found, _ = lead.api_client.tasks_api.list(project_id=project.id)
    assert [task.id for task in found.results] == [made.id]


def test_digests_survive_the_server(desk: Desk) -> None:
    plan = desk.push(two(10.005))
    assert {digest_of(track) for track in desk.tracks} == {part.digest for part in plan.jobs[0].create}
