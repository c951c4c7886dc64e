"""HTTP to one function: retries with back-off and jitter, and every failure as an error of ours."""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import MaxRetryError, ReadTimeoutError, ResponseError
from urllib3.util import Retry

from spam_model.errors import BackendError, ConstraintConflict, FormatError, InputError, SpamError, VideoError

DIGEST_HEADER = "X-Spam-Digest"
RETRIES = 5
BUSY_RETRIES = 60  # who waits for a worker is in a queue: with Nuclio's 10 s for each try, half an hour at most
BACKOFF = 0.5  # seconds, doubled from the second retry on
LONGEST_BACKOFF = 10.0  # seconds
JITTER = 0.5  # seconds
CONNECT_TIMEOUT = 10.0  # seconds

_BUSY = 503  # all workers
_PASSING = (408, 429, _BUSY)  # timed out and restarted, throttled
_CALLER_ERRORS: dict[str, type[SpamError]] = {
    error.__name__: error for error in (InputError, FormatError, VideoError, ConstraintConflict)
}
_NEXT_STEP = {
    404: "nothing answers at this address; check the port of the function with: nuctl get functions",
    408: "it ran into the function's eventTimeout; raise that, or lower the size of the frames",
    413: "the body is over the function's maxRequestBodySize; set it to 33554432 and deploy the function again",
    429: "it is throttled; lower --concurrency",
    503: "all its workers stayed busy; raise numWorkers or lower --concurrency",
}


class Transport:
    """GET and POST to the root of a function."""

    def __init__(self, url: str, timeout: float, connections: int) -> None:
        self.url = url.rstrip("/")
        self._timeout = (CONNECT_TIMEOUT, timeout)
        retry = _Retry(
            total=None,
            connect=RETRIES,
            read=RETRIES,
            other=RETRIES,
            status=BUSY_RETRIES,
            status_forcelist=_PASSING,
            allowed_methods=None,
            backoff_factor=BACKOFF,
            backoff_jitter=JITTER,
            backoff_max=LONGEST_BACKOFF,
            raise_on_status=False,
        )
        self._session = requests.Session()
        self._session.mount(self.url, HTTPAdapter(pool_maxsize=connections, max_retries=retry))

    def get(self) -> bytes:
        return self._send("GET", None, {})

    def post(self, body: bytes, digest: str) -> bytes:
        """The reply to this body.

        Raises:
            InputError, FormatError, VideoError, ConstraintConflict: the function says so of the request.
            BackendError: anything else that is not a reply.
        """
        return self._send("POST", body, {"Content-Type": "application/octet-stream", DIGEST_HEADER: digest})

    def _send(self, method: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        try:
            response = self._session.request(method, self.url, data=body, headers=headers, timeout=self._timeout)
        except requests.Timeout as error:
            raise BackendError(
                f"the function at {self.url} gave no answer in {self._timeout[1]:g} s; "
                "see its log, or use --backend local"
            ) from error
        except requests.RequestException as error:
            raise BackendError(
                f"the function at {self.url} is not reachable; check that it is deployed and ready "
                "(nuctl get functions), or use --backend local"
            ) from error
        if response.status_code != 200:
            self._fail(response)
        return response.content

    def _fail(self, response: requests.Response) -> NoReturn:
        name, reason = _said(response)
        if name in _CALLER_ERRORS:
            raise _CALLER_ERRORS[name](reason)
        next_step = _NEXT_STEP.get(response.status_code, "see the function's log")
        reason = f" ({reason})" if reason else ""
        raise BackendError(f"the function at {self.url} answered {response.status_code}{reason}: {next_step}")


class _Retry(Retry):
    """Sends again after a refused or reset connection and the passing statuses, not after the time given is used up.

    Patient with a function that is busy, on a slow machine for long; not with one that fails.
    """

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if isinstance(error, ReadTimeoutError):
            raise error
        if response is not None and response.status != _BUSY:
            before = sum(request.status == response.status for request in self.history)
            if before >= RETRIES:
                assert _pool is not None
                raise MaxRetryError(_pool, url, ResponseError(f"{response.status} after {before} retries"))
        return super().increment(method, url, response, error, _pool, _stacktrace)


def _said(response: requests.Response) -> tuple[str, str]:
    """The name of the error and its short reason, as far as the answer has them."""
    try:
        answer = response.json()
        return str(answer["error"]), str(answer["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "", response.text.partition("\n")[0][:120]
