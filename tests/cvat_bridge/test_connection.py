"""Calls: repeated where that is safe, sent once where it is not, and clear about what went wrong."""

from __future__ import annotations

import argparse
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from cvat_sdk import Client
from cvat_sdk.api_client.exceptions import ApiException
from cvat_sdk.core.auth import AuthStore, ProfileEntry
from cvat_sdk.core.exceptions import CvatSdkException

from cvat_bridge import connection
from cvat_bridge.connection import as_server_error, configure_arguments, connect, parse_json, read, send
from cvat_bridge.embedded.process import ServerProcess
from cvat_bridge.server import CvatReader
from spam_model.errors import InputError, ServerError
from tests.cvat_bridge.accounts import PASSWORDS
from tests.cvat_bridge.proxy import DROPPED, SILENT, Fault, Proxy


class _Response:
    data = b'{"id": 1}'


class Endpoint:
    """Fails as told, then answers."""

    __name__ = "retrieve"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.arguments: dict[str, Any] = {}

    def __call__(self, **arguments: Any) -> tuple[None, _Response]:
        self.calls += 1
        self.arguments = arguments
        if self.failures:
            raise self.failures.pop(0)
        return None, _Response()


PASSING = [429, 500, 502, 503, 504, 408]
FINAL = [400, 401, 403, 404, 409, 413]


@pytest.mark.parametrize("status", PASSING)
def test_a_read_is_repeated_while_the_server_is_unwell(status: int) -> None:
    endpoint = Endpoint(*[ApiException(status=status, reason="")] * (connection.ATTEMPTS - 1))
    assert read(endpoint) == b'{"id": 1}'
    assert endpoint.calls == connection.ATTEMPTS


@pytest.mark.parametrize(
    "error",
    [
        urllib3.exceptions.TimeoutError(),
        urllib3.exceptions.ProtocolError("gone"),
        ConnectionError(),
    ],
)
def test_a_read_is_repeated_when_no_answer_came(error: Exception) -> None:
    endpoint = Endpoint(error, error)
    assert read(endpoint) == b'{"id": 1}'
    assert endpoint.calls == 3


@pytest.mark.parametrize("status", FINAL)
def test_a_refusal_is_not_repeated(status: int) -> None:
    endpoint = Endpoint(*[ApiException(status=status, reason="")] * 9)
    with pytest.raises(ServerError) as caught:
        read(endpoint)
    assert (endpoint.calls, caught.value.status, caught.value.exit_code) == (1, status, 7)


def test_a_read_gives_up_in_the_end() -> None:
    endpoint = Endpoint(*[ApiException(status=503, reason="")] * 99)
    with pytest.raises(ServerError, match="CVAT answered 503"):
        read(endpoint)
    assert endpoint.calls == connection.ATTEMPTS


@pytest.mark.parametrize("status", [*PASSING, *FINAL])
def test_a_write_is_sent_once_with_a_timeout(status: int) -> None:
    endpoint = Endpoint(*[ApiException(status=status, reason="")] * 9)
    with pytest.raises(ServerError):
        send(endpoint)
    assert endpoint.calls == 1
    assert endpoint.arguments["_request_timeout"] == connection.TIMEOUT


ADVICE = {401: "CVAT_ACCESS_TOKEN", 403: "lacks the right", 404: "check the id", 409: "busy", 413: "larger than"}


@pytest.mark.parametrize(("status", "advice"), ADVICE.items())
def test_a_refusal_says_what_to_do(status: int, advice: str) -> None:
    error = as_server_error(ApiException(status=status, reason="x"), "tasks.retrieve")
    assert str(error).startswith(f"tasks.retrieve: CVAT answered {status}: ")
    assert advice in str(error)


def test_a_proxy_that_refuses_is_told_from_a_server_that_does() -> None:
    refused = urllib3.exceptions.ProxyError("no", OSError())
    error = urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool("x"), "/", refused)
    assert "check HTTPS_PROXY" in str(as_server_error(error, "x"))


def test_a_400_says_what_the_server_says() -> None:
    error = ApiException(status=400, reason="Bad Request")
    error.body = b'["label_id `5` is invalid"]'
    assert "label_id `5` is invalid" in str(as_server_error(error, "x"))


def test_headers_and_bodies_of_other_answers_stay_out_of_the_message() -> None:
    error = ApiException(status=500, reason="x")
    error.body, error.headers = b"Traceback: password=hunter2", {"Set-Cookie": "sessionid=hunter2"}
    assert "hunter2" not in str(as_server_error(error, "x"))


def test_what_is_a_bug_of_ours_is_not_called_the_servers() -> None:
    with pytest.raises(ZeroDivisionError):
        as_server_error(ZeroDivisionError(), "x")
    assert isinstance(as_server_error(CvatSdkException("odd"), "x"), ServerError)


def test_a_page_that_is_no_cvat_is_told() -> None:
    with pytest.raises(ServerError, match="is this address a CVAT server"):
        parse_json(b"<html>hello</html>", "x")


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    configure_arguments(parser)
    return parser.parse_args(arguments)


def _arguments(url: str, auth: str | None = None, *more: str) -> argparse.Namespace:
    return _parsed(["--server-host", url, *(["--auth", auth] if auth else []), *more])


def test_wrong_credentials_are_told_and_not_shown(proxy: Proxy) -> None:
    with pytest.raises(ServerError) as caught:
        connect(_arguments(proxy.url, "admin:not-the-password"))
    assert caught.value.status in (400, 401)
    assert "not-the-password" not in str(caught.value)


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(ServerError, match=r"log in: no answer from CVAT .*check --server-host"):
        connect(_arguments("http://127.0.0.1:9", "admin:x"))


def test_the_sdks_own_calls_get_a_timeout_too(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def record(*args: object, **kwargs: Any) -> None:
        seen.append(kwargs["timeout"])
        raise urllib3.exceptions.ProtocolError("no need to go on")

    with connect(_arguments(proxy.url, f"admin:{PASSWORDS['admin']}")) as client:
        monkeypatch.setattr(client.api_client.rest_client.pool_manager, "request", record)
        for call in (client.tasks.list, client.users.retrieve_current_user):
            with pytest.raises(urllib3.exceptions.ProtocolError):
                call()
    assert [(timeout.connect_timeout, timeout.read_timeout) for timeout in seen] == [connection.TIMEOUT] * 2


def test_a_silent_server_is_given_up(proxy: Proxy, lead: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", (1.0, 0.1))
    proxy.faults = [Fault("POST", "/api/projects", SILENT)]
    with pytest.raises(ServerError, match="no answer from CVAT") as caught:
        send(lead.api_client.projects_api.create, {"name": "x"})
    assert caught.value.status is None


def test_a_server_that_wakes_up_again_is_read(proxy: Proxy, lead: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", (1.0, 0.3))
    proxy.faults = [Fault("GET", "/api/users/self", status) for status in (SILENT, DROPPED, 429, 503)]
    assert CvatReader(lead).self_user().username == "admin"
    assert all(fault.times == 0 for fault in proxy.faults)


@pytest.fixture(scope="module")
def tls(cvat: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The server behind TLS with a certificate of its own: its address, and the certificate."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-out", certificate, "-keyout", key], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Proxy(cvat.url, context) as proxy:
        yield f"https://localhost:{urlsplit(proxy.url).port}", certificate


def test_a_certificate_of_ones_own_is_refused_with_advice_until_it_is_trusted(tls: tuple[str, Path]) -> None:
    url, certificate = tls
    auth = f"admin:{PASSWORDS['admin']}"
    with pytest.raises(ServerError, match=r"certificate is not trusted: give --ca-bundle FILE"):
        connect(_arguments(url, auth))
    with connect(_arguments(url, auth, "--ca-bundle", str(certificate))) as client:
        assert CvatReader(client).self_user().username == "admin"
    with (
        pytest.warns(urllib3.exceptions.InsecureRequestWarning),
        connect(_arguments(url, auth, "--insecure")) as client,
    ):
        assert CvatReader(client).self_user().username == "admin"


def test_a_bundle_that_is_not_there_is_named(proxy: Proxy) -> None:
    with pytest.raises(InputError, match=r"--ca-bundle nowhere\.pem: no such file"):
        connect(_arguments(proxy.url, "admin:x", "--ca-bundle", "nowhere.pem"))


def test_a_proxy_of_the_environment_is_used_except_for_this_machine(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    auth = f"admin:{PASSWORDS['admin']}"
    with connect(_arguments("http://cvat.invalid:8080", auth)) as client:
        assert CvatReader(client).self_user().username == "admin", "the proxy alone knows where that is"
    monkeypatch.setenv("NO_PROXY", "cvat.invalid")
    with pytest.raises(ServerError, match="check --server-host"):
        connect(_arguments("http://cvat.invalid:8080", auth))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with connect(_arguments(proxy.url, auth)) as client:
        assert CvatReader(client).self_user().username == "admin"


def test_a_token_and_a_profile_log_in_as_with_cvat_cli(
    proxy: Proxy, lead: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token goes along with each request, a profile brings server and token."""
    token = json.loads(send(lead.api_client.auth_api.create_access_tokens, {"name": "test"}))["value"]
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", token)
    with connect(_arguments(proxy.url)) as client:
        assert CvatReader(client).self_user().username == "admin"
    monkeypatch.delenv("CVAT_ACCESS_TOKEN")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    AuthStore().put_profile("work", ProfileEntry(proxy.url, token, ""))
    for arguments in (["--profile", "work"], []):
        with connect(_parsed(arguments)) as client:
            assert CvatReader(client).self_user().username == "admin"
    with pytest.raises(ServerError, match="Unknown profile 'play'"):
        connect(_parsed(["--profile", "play"]))
