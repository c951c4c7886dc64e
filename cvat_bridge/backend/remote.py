"""The model behind a deployed function (``serverless/pytorch/spam/engine``), called over HTTP.

Every request means the same however often it is sent, so what fails in passing is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from cvat_bridge.backend.batches import batches
from cvat_bridge.backend.protocol import BackendDescription, EncodedFrame
from cvat_bridge.backend.transport import Transport
from spam_model import storage, wire
from spam_model.detectors.base import Progress, join_candidates
from spam_model.errors import BackendError, InputError
from spam_model.values import Candidates, ClipInfo, Constraints, LabelResult

MAX_GRAPH_BYTES = 32 * 2**20 - 64 * 2**10  # the function's maxRequestBodySize, less the HTTP headers


class RemoteBackend:
    """A ``Backend`` that sends frames in batches, ``concurrency`` of them at a time."""

    def __init__(
        self, url: str, *, timeout: float = 300.0, concurrency: int = 4, detector: str = "", min_score: float = 0.0
    ) -> None:
        """
        Args:
            url: of the function, ``http://host:port``.
            timeout: seconds that one request may take, more than twice the function's eventTimeout.
            concurrency: requests under way at a time; as many as the function has workers, over all replicas.
            detector: name of the detector that must answer; empty takes the function's own.
            min_score: candidates below it are left out.
        """
        self.timeout = timeout
        self._transport = Transport(url, timeout, concurrency)
        self._concurrency = concurrency
        self._detector = detector
        self._min_score = min_score

    def describe(self) -> BackendDescription:
        said = wire.description_from_bytes(self._transport.get())
        if said.version != storage.VERSION:
            raise BackendError(
                f"the function at {self._transport.url} reads version {said.version}, this release writes version "
                f"{storage.VERSION}; deploy the function of this release"
            )
        return BackendDescription("remote", said.device, said.model, said.detector)

    def candidates(
        self, info: ClipInfo, frames: Iterable[EncodedFrame], progress: Progress | None = None
    ) -> Candidates:
        parts: list[Candidates] = []
        running: dict[Future[Candidates], int] = {}  # with the number of frames

        def collect(done: Iterable[Future[Candidates]]) -> None:
            for future in done:
                parts.append(future.result())
                if progress is not None:
                    progress(running[future])
                del running[future]

        executor = ThreadPoolExecutor(self._concurrency, thread_name_prefix="spam-remote")
        try:
            for batch in batches(frames):
                if len(running) == self._concurrency:
                    collect(wait(running, return_when=FIRST_COMPLETED).done)
                running[executor.submit(self._detect, info, batch)] = len(batch)
            collect(wait(running).done)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        if not parts:
            raise InputError(f"{info.name!r} has no frame to look at")
        return join_candidates(parts)

    def label(self, candidates: Candidates, constraints: Constraints) -> LabelResult:
        request = wire.LabelRequest(candidates, constraints)
        body = wire.request_to_bytes(request)
        if len(body) > MAX_GRAPH_BYTES:
            raise BackendError(
                f"the graph of {len(candidates)} candidates with {candidates.embedding.shape[1]} numbers of appearance "
                f"takes {len(body) / 2**20:.0f} MiB, a function takes {MAX_GRAPH_BYTES / 2**20:.0f} MiB; "
                "label it here with --backend local, which needs no GPU"
            )
        return wire.label_reply_from_bytes(self._transport.post(body, wire.digest(request)))

    def _detect(self, info: ClipInfo, batch: list[EncodedFrame]) -> Candidates:
        numbers, images = zip(*batch, strict=True)
        request = wire.CandidatesRequest(info, numbers, images, self._detector, self._min_score)
        body = wire.request_to_bytes(request)
        return wire.candidates_reply_from_bytes(self._transport.post(body, wire.digest(request)))
