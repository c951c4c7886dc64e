"""A file over HTTP(S), with a progress bar; what an earlier attempt has brought is kept and gone on with.

The standard library's client: it takes proxies from ``HTTPS_PROXY`` and certificates from ``SSL_CERT_FILE``.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spam_model.errors import FetchError

_TIMEOUT = 60  # s without a byte
_CHUNK = 2**20  # bytes
_RANGE_NOT_SATISFIABLE = 416


def download(url: str, path: Path) -> bool:
    """Appends to ``path`` what it lacks of ``url``; a server that cannot do that sends the file from its start.

    Whether the bytes are the right ones is for the caller to check.

    Returns:
        Whether an earlier attempt's bytes are in the file.

    Raises:
        FetchError: no answer, or not the whole of it; ``path`` keeps what has come.
        OSError: ``path`` cannot be written.
    """
    with path.open("ab") as file:
        had = file.tell()
        request = urllib.request.Request(url, headers={"Range": f"bytes={had}-"} if had else {})
        try:
            response = urllib.request.urlopen(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code == _RANGE_NOT_SATISFIABLE and had:
                return True  # nothing is lacking
            raise FetchError(f"{url} answers {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(f"no answer from {url} ({getattr(error, 'reason', error)})") from error
        with response:
            resumed = bool(response.status == http.HTTPStatus.PARTIAL_CONTENT)
            if had and not resumed:
                file.truncate(0)
                had = 0
            total = had + int(response.headers.get("Content-Length", 0))
            with tqdm(total=total or None, initial=had, desc=path.name, unit="B", unit_scale=True, disable=None) as bar:
                while chunk := _read(response, url):
                    file.write(chunk)
                    bar.update(len(chunk))
            if file.tell() < total:
                raise FetchError(f"{url} broke off after {file.tell()} of {total} bytes, which are kept")
        return resumed


def _read(response: Any, url: str) -> bytes:
    try:
        return bytes(response.read(_CHUNK))
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url} broke off ({error}); what has come is kept") from error
