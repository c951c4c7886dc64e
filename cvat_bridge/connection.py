"""Calls to CVAT through the official SDK: timeouts on all of them, retries where repeating is safe, clear errors."""

from __future__ import annotations

import argparse
import json
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import urllib3
from cvat_sdk.api_client.exceptions import ApiException
from cvat_sdk.core.auth import configure_client_auth_arguments, make_client_from_cli
from cvat_sdk.core.client import Client, Config
from cvat_sdk.core.exceptions import CvatSdkException

from spam_model.errors import ServerError

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

configure_arguments = configure_client_auth_arguments


def connect(args: argparse.Namespace) -> Client:
    """A logged-in client from the SDK's own arguments, environment and profiles.

    Raises:
        ServerError: not reachable, or the credentials are refused.
    """
    try:
        client = make_client_from_cli(args, config=Config(status_check_period=POLL_SECONDS))
    except Exception as error:
        raise as_server_error(error, "log in") from error
    client.api_client.user_agent = "cvat-bridge"
    set_timeouts(client)
    return client


def set_timeouts(client: Client) -> None:
    """Gives the SDK's own calls (uploads, polling) our timeout: by default it waits for ever."""
    rest = client.api_client.rest_client
    request = rest.request

    def timed_request(*args: object, _request_timeout: object = None, **kwargs: object) -> object:
        return request(*args, _request_timeout=_request_timeout or TIMEOUT, **kwargs)

    rest.request = timed_request


def read(endpoint: Callable[..., Any], *args: object, **kwargs: object) -> bytes:
    """Body of a call that changes nothing; repeated with growing pauses while the server is unwell.

    Raises:
        ServerError: refused, or still failing after the last attempt.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return send(endpoint, *args, **kwargs)
        except ServerError as error:
            if attempt == ATTEMPTS or (error.status is not None and error.status not in RETRIED):
                raise
            pause = min(30.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
            log.warning("%s; trying again in %.1f s (%d of %d)", error, pause, attempt, ATTEMPTS)
            time.sleep(pause)
    raise AssertionError("unreachable")


def read_json(endpoint: Callable[..., Any], *args: object, **kwargs: object) -> Any:
    """As ``read``, the body taken as JSON."""
    return parse_json(read(endpoint, *args, **kwargs), name_of(endpoint))


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
        return ServerError(
            f"{doing}: no answer from CVAT ({type(error).__name__}): check --server-host and the network"
        )
    if isinstance(error, CvatSdkException):
        return ServerError(f"{doing}: {error}")
    raise error


def _reason(error: ApiException) -> str:
    """The server's short explanation of a 400."""
    body = error.body if isinstance(error.body, bytes | str) else b""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    return text[:300] or str(error.reason)
