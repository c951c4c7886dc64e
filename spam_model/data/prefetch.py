"""Frames decoded ahead in a thread, so that reading and detecting take turns on no core that could do both."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")
_POLL = 0.1  # s


@contextmanager
def prefetched(items: Iterable[_T], ahead: int) -> Iterator[Iterator[_T]]:
    """The same items in the same order, at most ``ahead`` of them made before they are asked for.

    What ``items`` raises is raised where its item would have come. On leaving the block, also by an error, the thread
    has ended; nobody else may use what ``items`` reads from until then.
    """
    ready: queue.Queue[tuple[bool, object]] = queue.Queue(max(1, ahead))
    stop = threading.Event()

    def put(good: bool, value: object) -> None:
        while not stop.is_set():
            try:
                ready.put((good, value), timeout=_POLL)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put(True, item)
                if stop.is_set():
                    return
            put(False, None)
        except BaseException as error:  # raised again where it is asked for
            put(False, error)

    def taken() -> Iterator[_T]:
        while True:
            good, value = ready.get()
            if good:
                yield value  # type: ignore[misc]
            elif isinstance(value, BaseException):
                raise value
            else:
                return

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stop.set()
        thread.join()
