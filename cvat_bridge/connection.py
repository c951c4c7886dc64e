"""Calls to CVAT through the official SDK: timeouts on all of them, retries where repeating is safe, clear errors."""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import urllib3
from cvat_sdk.api_client.exceptions import ApiException
from cvat_sdk.api_client.rest import RESTClientObject
from cvat_sdk.core.auth import (
    CVAT_ACCESS_TOKEN_ENV_VAR,
    AuthStore,
    ClientAuthParameters,
    configure_client_auth_arguments,
    default_auth_factory,
    make_client_from_cli,
)
from cvat_sdk.core.client import AccessTokenCredentials, Client, Config, Credentials
from cvat_sdk.core.exceptions import CvatSdkException

from spam_model.errors import InputError, ServerError

log = logging.getLogger(__name__)

TIMEOUT = (10.0, 120.0)  # seconds: connect, read
ATTEMPTS = 5
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
POLL_SECONDS = 0.5

ADVICE = {
    401: "CVAT does not accept the credentials: set CVAT_ACCESS_TOKEN, or give --auth or --profile",
    403: "the account lacks the right to do this: ask the task's owner, or use the owner's token",
    404: "it does not exist, or this account may not see it: check the id and --org",
    409: "CVAT is busy with another request on it: wait for that to end, then run this again",
    413: "the request is larger than the server allows",
    429: "the server asks to slow down: run this again later; what was done is kept",
}

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def configure_arguments(parser: argparse._ActionsContainer) -> None:
    """The SDK's own arguments, and a certificate authority of one's own."""
    configure_client_auth_arguments(parser)
    parser.add_argument(
        "--ca-bundle",
        type=Path,
        metavar="FILE",
        help="certificates (PEM) to trust, for a server with a certificate of your own "
        "(default: REQUESTS_CA_BUNDLE, SSL_CERT_FILE, or those of the system); better than --insecure",
    )


def connect(args: argparse.Namespace) -> Client:
    """A logged-in client from the SDK's own arguments, environment and profiles.

    Proxies are taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, which the SDK itself passes over; never for this very
    machine.

    Raises:
        InputError: there is no such file of certificates.
        ServerError: not reachable, or the credentials are refused.
    """
    parameters = ClientAuthParameters.from_namespace(args)
    credentials: list[Credentials] = []
    try:
        if _asks_for_password(parameters):
            parameters.auth = _later(parameters.auth or default_auth_factory(), credentials)
        client = make_client_from_cli(parameters, config=Config(status_check_period=POLL_SECONDS))
    except Exception as error:
        raise as_server_error(error, "log in") from error
    _go_through(client, getattr(args, "ca_bundle", None))
    client.api_client.user_agent = "cvat-bridge"
    set_timeouts(client)
    for one in credentials:
        client.api_client.configuration.access_token = None  # that of ``_later``
        try:
            client.login(one)
        except Exception as error:
            raise as_server_error(error, "log in") from error
    return client


def _asks_for_password(parameters: ClientAuthParameters) -> bool:
    """Whether the SDK would log in with user and password, and not with a token or a profile's."""
    if parameters.auth is not None:
        return True
    if parameters.profile is not None or CVAT_ACCESS_TOKEN_ENV_VAR in os.environ:
        return False
    names_host = parameters.server_host is not None or parameters.server_port is not None
    return names_host or AuthStore().get_default_profile() is None


def _later(
    factory: Callable[[str], Credentials], credentials: list[Credentials]
) -> Callable[[str], AccessTokenCredentials]:
    """Puts the credentials aside: proxy and certificates have to be set before the first request."""

    def set_aside(url: str) -> AccessTokenCredentials:
        credentials.append(factory(url))
        return AccessTokenCredentials("")

    return set_aside


def _go_through(client: Client, ca_bundle: Path | None) -> None:
    """Sets the proxy and the trusted certificates of a client that has sent nothing yet."""
    configuration = client.api_client.configuration
    parts = urlsplit(configuration.host)
    bundle = ca_bundle or (Path(value) if (value := os.environ.get("REQUESTS_CA_BUNDLE")) else None)
    if bundle is not None and not bundle.is_file():
        raise InputError(f"--ca-bundle {bundle}: no such file of certificates (PEM)")
    configuration.ssl_ca_cert = str(bundle) if bundle else None
    proxies = getproxies_environment()
    if parts.hostname not in LOOPBACK:
        configuration.proxy = proxies.get(parts.scheme)
        configuration.no_proxy = proxies.get("no")
    if configuration.ssl_ca_cert or configuration.proxy:
        client.api_client.rest_client = RESTClientObject(configuration)


def set_timeouts(client: Client) -> None:
    """Gives the SDK's own calls (uploads, polling) our timeout: by default it waits for ever."""
    rest = client.api_client.rest_client
    request = rest.request

    def timed_request(*args: object, _request_timeout: object = None, **kwargs: object) -> object:
        return request(*args, _request_timeout=_request_timeout or TIMEOUT, **kwargs)

    rest.request = timed_request


def read(endpoint: Callable[..., Any], *args: object, attempts: int = ATTEMPTS, **kwargs: object) -> bytes:
    """Body of a call that changes nothing; repeated with growing pauses while the server is unwell.

    Raises:
        ServerError: refused, or still failing after the last attempt.
    """
    for attempt in range(1, attempts + 1):
        try:
            return send(endpoint, *args, **kwargs)
        except ServerError as error:
            if attempt == attempts or (error.status is not None and error.status not in RETRIED):
                raise
            pause = min(30.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
            log.warning("%s; trying again in %.1f s (%d of %d)", error, pause, attempt, attempts)
            time.sleep(pause)
    raise AssertionError("unreachable")


def read_json(endpoint: Callable[..., Any], *args: object, attempts: int = ATTEMPTS, **kwargs: object) -> Any:
    """As ``read``, the body taken as JSON."""
    return parse_json(read(endpoint, *args, attempts=attempts, **kwargs), name_of(endpoint))


def send(endpoint: Callable[..., Any], *args: object, **kwargs: object) -> bytes:
    """Body of one call, sent once: whether to repeat it is for the caller to know.

    Raises:
        ServerError: ``status`` is None when no answer came, and then the outcome is unknown.
    """
    try:
        _, response = endpoint(*args, _parse_response=False, _request_timeout=TIMEOUT, **kwargs)
        return bytes(response.data)
    except Exception as error:
        raise as_server_error(error, name_of(endpoint)) from error


def parse_json(body: bytes, what: str) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise ServerError(f"{what}: CVAT's answer is not JSON; is this address a CVAT server?") from error


def name_of(endpoint: Callable[..., Any]) -> str:
    owner = getattr(endpoint, "__self__", None)
    group = type(owner).__name__.removesuffix("Api").lower() if owner is not None else "cvat"
    return f"{group}.{endpoint.__name__}"


def as_server_error(error: Exception, doing: str) -> ServerError:
    """Translates what SDK and urllib3 raise; bodies and headers, which may hold secrets, stay out of the message."""
    if isinstance(error, ServerError):
        return error
    if isinstance(error, ApiException) and error.status:
        advice = ADVICE.get(error.status, "the server's own log says more" if error.status >= 500 else _reason(error))
        return ServerError(f"{doing}: CVAT answered {error.status}: {advice}", error.status)
    if isinstance(error, urllib3.exceptions.HTTPError | ApiException | OSError):
        return ServerError(f"{doing}: no answer from CVAT ({type(error).__name__}): {_way_advice(error)}")
    if isinstance(error, CvatSdkException):
        return ServerError(f"{doing}: {error}")
    raise error


def _way_advice(error: Exception) -> str:
    """What to check on the way to the server."""
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, urllib3.exceptions.SSLError):
        return "its certificate is not trusted: give --ca-bundle FILE with the authority's, or --insecure"
    if isinstance(cause, urllib3.exceptions.ProxyError):
        return "the proxy does not let it through: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    return "check --server-host and the network"


def _reason(error: ApiException) -> str:
    """The server's short explanation of a 400."""
    body = error.body if isinstance(error.body, bytes | str) else b""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    return text[:300] or str(error.reason)
