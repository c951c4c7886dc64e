"""The server calls detectors of the embedded function host, and passes their failures on as CVAT does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from cvat_sdk import Client, models
from cvat_sdk.api_client.exceptions import ApiException
from cvat_sdk.core.helpers import make_request_headers

from cvat_bridge.embedded.nuclio.launch import FunctionHost
from cvat_bridge.embedded.process import ServerProcess
from tests.cvat_bridge.accounts import PASSWORDS, log_in
from tests.cvat_bridge.embedded.media_files import video
from tests.cvat_bridge.embedded_nuclio.functions import write_function

DETECTOR = """
import base64, json

def handler(context, event):
    image = base64.b64decode(event.body["image"])
    if event.body.get("threshold") == 0.5:
        return context.Response(body="not JSON", content_type="text/plain", status_code=200)
    if event.body.get("threshold") == 0.6:
        raise ValueError("a secret")
    items = [{"type": "rectangle", "label": "person", "points": [1, 2, 3, len(image) > 100 and 40], "attributes": []}]
    return context.Response(body=json.dumps(items), content_type="application/json", status_code=200)
"""


@pytest.fixture(scope="module")
def lead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("functions")
    spec = json.dumps([{"id": 0, "name": "person", "type": "rectangle"}])
    metadata = {"name": "finder", "annotations": {"type": "detector", "name": "Finder", "spec": spec}}
    write_function(folder, "finder", DETECTOR, metadata=metadata)
    with (
        FunctionHost([folder / "finder"], folder / "host") as host,
        ServerProcess(folder / "data", PASSWORDS, functions=host.url) as process,
        log_in(process.url, "admin") as client,
    ):
        yield client


@pytest.fixture(scope="module")
def task(lead: Client, tmp_path_factory: pytest.TempPathFactory) -> int:
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    file.write_bytes(video(4))
    label = models.PatchedLabelRequest(name="person", type="rectangle", attributes=[])
    spec = models.TaskWriteRequest(name="clip", labels=[label])
    return int(lead.tasks.create_from_data(spec, [file], data_params={"image_quality": 70}).id)


def call(client: Client, **body: object) -> object:
    api = client.api_client
    response = api.rest_client.POST(
        f"{api.configuration.host}/api/lambda/functions/finder",
        headers={**make_request_headers(api), "Content-Type": "application/json"},
        body=body,
        _parse_response=False,
    )
    return json.loads(response.data)


def test_a_deployed_detector_is_listed_and_called_on_a_frame(lead: Client, task: int) -> None:
    _, listed = lead.api_client.lambda_api.list_functions(_parse_response=False)
    assert [(function["id"], function["kind"]) for function in json.loads(listed.data)] == [("finder", "detector")]
    found = call(lead, task=task, frame=2)
    assert isinstance(found, dict)
    assert [(shape["points"], shape["frame"]) for shape in found["shapes"]] == [([1, 2, 3, 40], 2)]


@pytest.mark.parametrize(("threshold", "text"), [(0.5, "Expecting value"), (0.6, "500 Server Error")])
def test_a_failure_is_passed_on_and_tells_no_secret(lead: Client, task: int, threshold: float, text: str) -> None:
    with pytest.raises(ApiException) as caught:
        call(lead, task=task, frame=0, threshold=threshold)
    assert caught.value.status == 500
    assert text in str(caught.value.body)
    assert "a secret" not in str(caught.value.body)


def test_without_a_function_host_it_says_so(admin: Client) -> None:
    with pytest.raises(ApiException, match="without a function host") as caught:
        admin.api_client.lambda_api.list_functions()
    assert caught.value.status == 501
