"""The table of the scope is the truth: what it offers is there, and nothing else."""

import http.client
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cvat_sdk import Client, models
from cvat_sdk.api_client.exceptions import ServiceException
from cvat_sdk.core.helpers import make_request_headers

from cvat_bridge.embedded.process import ServerProcess
from cvat_bridge.embedded.server import scope
from cvat_bridge.embedded.server.app import create_app, create_server


def test_every_offered_method_has_a_handler_and_no_handler_is_unlisted(tmp_path: Path) -> None:
    server = create_server(tmp_path)
    routes = {
        (method, rule.rule.replace("<int:key>", "1").replace("<int:task_id>", "1").replace("<key>", "x"))
        for rule in create_app(server).url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}
    }
    server.close()
    offered = {
        (method, endpoint.path.replace("{id}", "1").replace("{upload}", "x"))
        for endpoint in scope.SCOPE
        for method in endpoint.offered
        if method not in ("OPTIONS", "HEAD")
    }
    named = {(method, re.sub(r"(requests|functions)/x", r"\1/1", path)) for method, path in routes}
    assert named == offered


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/webhooks"),
        ("POST", "/api/issues"),
        ("POST", "/api/lambda/requests"),
        ("POST", "/api/jobs/1/dataset/export"),
        ("POST", "/api/jobs"),
        ("DELETE", "/api/labels/1"),
        ("GET", "/api/organizations"),
    ],
)
def test_what_is_out_of_scope_says_so(admin: Client, method: str, path: str) -> None:
    client = admin.api_client
    with pytest.raises(ServiceException, match="out of scope of the embedded server: see scope") as caught:
        client.rest_client.request(method, client.configuration.host + path, headers=make_request_headers(client))
    assert caught.value.status == 501


def test_ground_truth_jobs_are_out_of_scope(admin: Client) -> None:
    request = models.JobWriteRequest(type="ground_truth", task_id=1)
    with pytest.raises(ServiceException) as caught:
        admin.api_client.jobs_api.create(request)
    assert caught.value.status == 501


def test_a_body_above_the_limit_is_refused_before_it_is_read(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    connection.putrequest("POST", "/api/auth/login")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(2**40))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_the_server_listens_on_this_machine_only(server: ServerProcess) -> None:
    assert urlsplit(server.url).hostname == "127.0.0.1"
