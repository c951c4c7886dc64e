"""The official SDK, unmodified, does with the embedded server what our bridge does with CVAT."""

import json
from pathlib import Path

import cv2
import pytest
from cvat_sdk import Client, models
from cvat_sdk.api_client.exceptions import (
    ApiException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
)
from cvat_sdk.core.client import AccessTokenCredentials
from cvat_sdk.core.exceptions import BackgroundRequestException
from cvat_sdk.core.helpers import make_request_headers
from cvat_sdk.core.proxies.annotations import AnnotationUpdateAction
from cvat_sdk.core.uploading import DataUploader

from cvat_bridge.embedded.process import ServerProcess
from tests.cvat_bridge.embedded import flows
from tests.cvat_bridge.embedded.media_files import decoded, number_of, picture, video


def test_tracks_that_were_pushed_are_read_back(admin: Client, clip: Path) -> None:
    project = flows.new_project(admin)
    task = flows.new_task(admin, project, [clip])
    label = project.get_labels()[0]
    identity = next(attribute.id for attribute in label.attributes if attribute.name == "identity")
    job = flows.jobs_in_order(task)[0]
    job.update_annotations(
        flows.body(flows.track(label.id, [0, 10, 19], identity, "person-7")), action=AnnotationUpdateAction.CREATE
    )
    (found,) = job.get_annotations().tracks
    assert [shape.frame for shape in found.shapes] == [0, 10, 19]
    assert found.shapes[1].points == [10.0, 50.0, 40.0, 120.0]
    assert [value.value for value in found.attributes if value.spec_id == identity] == ["person-7"]
    assert found.shapes[0].attributes[0].value == "0", "the default of an attribute that was not given"


def test_a_track_pushed_through_the_task_is_cut_at_the_border_of_its_jobs(admin: Client, clip: Path) -> None:
    project = flows.new_project(admin)
    task = flows.new_task(admin, project, [clip])
    task.update_annotations(flows.body(flows.track(project.get_labels()[0].id, [10, 30])))
    first, second = flows.jobs_in_order(task)
    assert [shape.frame for shape in first.get_annotations().tracks[0].shapes] == [10, 19]
    assert [shape.frame for shape in second.get_annotations().tracks[0].shapes] == [20, 30]
    closed, _ = task.get_annotations().tracks
    assert (closed.shapes[-1].frame, closed.shapes[-1].outside) == (20, True)


def test_a_hundred_tracks_of_a_hundred_keyframes_are_stored_whole(admin: Client, clip: Path) -> None:
    """As raw calls through the SDK's client: its own models take longer than the server."""
    project = flows.new_project(admin)
    job = flows.jobs_in_order(flows.new_task(admin, project, [clip], segment_size=0))[0]
    shapes = [{"type": "rectangle", "frame": frame, "points": [1.0, 2.0, 3.0, 4.0]} for frame in range(100)]
    tracks = [{"frame": 0, "label_id": project.get_labels()[0].id, "shapes": shapes}] * 100
    client, address = admin.api_client, f"{admin.api_map.base}jobs/{job.id}/annotations"
    client.rest_client.PATCH(f"{address}?action=create", headers=make_request_headers(client), body={"tracks": tracks})
    found = json.loads(client.rest_client.GET(address, headers=make_request_headers(client)).data)
    assert sum(len(track["shapes"]) for track in found["tracks"]) == 10_000


def test_a_refused_change_leaves_everything_as_it_was(admin: Client, clip: Path) -> None:
    project = flows.new_project(admin)
    job = flows.jobs_in_order(flows.new_task(admin, project, [clip]))[0]
    label_id = project.get_labels()[0].id
    with pytest.raises(ApiException, match="label_id `999999` is invalid"):
        job.update_annotations(
            flows.body(flows.track(label_id, [0]), flows.track(999999, [0])), action=AnnotationUpdateAction.CREATE
        )
    assert job.get_annotations().tracks == []


@pytest.mark.parametrize("number", [0, 39, 1, 20, 21])
def test_a_frame_of_a_video_is_the_frame_of_that_number(admin: Client, shared_task: int, number: int) -> None:
    content = admin.tasks.retrieve(shared_task).get_frame(number, quality="original").read()
    assert number_of(decoded(content)) == number


@pytest.fixture(scope="module")
def shared_task(admin: Client, tmp_path_factory: pytest.TempPathFactory) -> int:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    path.write_bytes(video(40))
    return int(flows.new_task(admin, flows.new_project(admin), [path]).id)


def test_frames_of_a_task_with_a_step_are_counted_from_its_first(admin: Client, clip: Path) -> None:
    params = {"start_frame": 4, "stop_frame": 30, "frame_step": 3}
    task = flows.new_task(admin, flows.new_project(admin), [clip], params=params, segment_size=5)
    assert task.size == 9
    assert number_of(decoded(task.get_frame(2, quality="original").read())) == 10
    assert (task.get_meta().start_frame, task.get_meta().stop_frame) == (4, 28)


def test_a_large_file_is_uploaded_in_parts(admin: Client, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DataUploader.__init__, "__kwdefaults__", {"max_request_size": 1000})
    monkeypatch.setattr("cvat_sdk.core.uploading.TUS_CHUNK_SIZE", 10_000)
    assert flows.new_task(admin, flows.new_project(admin), [clip]).size == 40


@pytest.mark.parametrize(
    ("name", "content"),
    [("broken.mp4", b"not a video"), ("broken.png", b"not an image"), ("notes.txt", b"no media at all")],
)
def test_files_that_cannot_be_decoded_fail_the_request(
    admin: Client, tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BackgroundRequestException, match=r"cannot be decoded|No media data found"):
        flows.new_task(admin, flows.new_project(admin), [path])


def test_an_upload_that_failed_can_be_repeated(admin: Client, tmp_path: Path, clip: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    task = admin.tasks.create(models.TaskWriteRequest(name="twice", project_id=flows.new_project(admin).id))
    with pytest.raises(BackgroundRequestException):
        task.upload_data([broken])
    task.upload_data([clip])
    assert task.size == 40


def test_a_video_that_breaks_off_gives_the_frames_before(admin: Client, tmp_path: Path) -> None:
    path = tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for number in range(20):
        writer.write(picture(number))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    task = flows.new_task(admin, flows.new_project(admin), [path])
    assert 5 <= task.size < 20
    last_whole = task.size - 2  # the decoder makes up what the broken one lacks
    assert number_of(decoded(task.get_frame(last_whole, quality="original").read())) == last_whole


def test_a_session_without_credentials_is_refused(server: ServerProcess) -> None:
    with Client(server.url) as stranger, pytest.raises(UnauthorizedException):
        stranger.projects.list()


def test_an_access_token_works_until_it_is_revoked(server: ServerProcess, admin: Client) -> None:
    token, _ = admin.api_client.auth_api.create_access_tokens(models.AccessTokenWriteRequest(name="bridge"))
    with Client(server.url) as client:
        client.login(AccessTokenCredentials(token.value))
        assert client.users.retrieve_current_user().username == "admin"
        admin.api_client.auth_api.destroy_access_tokens(token.id)
        with pytest.raises(UnauthorizedException):
            client.users.retrieve_current_user()


def test_a_read_only_token_cannot_write(server: ServerProcess, admin: Client) -> None:
    request = models.AccessTokenWriteRequest(name="reader", read_only=True)
    token, _ = admin.api_client.auth_api.create_access_tokens(request)
    with Client(server.url) as client:
        client.login(AccessTokenCredentials(token.value))
        client.projects.list()
        with pytest.raises(ForbiddenException):
            flows.new_project(client)


def test_attributes_can_be_added_to_a_label_with_annotations(admin: Client, clip: Path) -> None:
    project = flows.new_project(admin)
    job = flows.jobs_in_order(flows.new_task(admin, project, [clip]))[0]
    label = project.get_labels()[0]
    job.update_annotations(flows.body(flows.track(label.id, [0])), action=AnnotationUpdateAction.CREATE)
    added = flows.attribute("run", False, "text", [], "none")
    request = models.PatchedProjectWriteRequest(labels=[models.PatchedLabelRequest(id=label.id, attributes=[added])])
    project.update(request)
    (track,) = job.get_annotations().tracks
    assert [value.value for value in track.attributes] == ["", "none"]


def test_a_deleted_task_is_gone_with_its_jobs(admin: Client, clip: Path) -> None:
    task = flows.new_task(admin, flows.new_project(admin), [clip])
    job_id = task.get_jobs()[0].id
    task.remove()
    with pytest.raises(NotFoundException, match="No Job matches"):
        admin.jobs.retrieve(job_id)
