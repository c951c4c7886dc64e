"""Many tasks side by side: what befalls one does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Generic, TypeVar

from spam_model.errors import SpamError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Outcome(Generic[_T]):
    """Either ``result`` or ``error``."""

    task_id: int
    result: _T | None
    error: SpamError | None


def attempt(work: Callable[[int], _T], task_id: int) -> Outcome[_T]:
    """What came of the work on one task."""
    try:
        return Outcome(task_id, work(task_id), None)
    except SpamError as error:
        return Outcome(task_id, None, error)


def for_each_task(task_ids: Sequence[int], work: Callable[[int], _T], parallel: int) -> Iterator[Outcome[_T]]:
    """Outcomes as they come, ``parallel`` tasks under way at a time.

    Any error that is not one of ours, and an interrupt, end the work: tasks under way finish, no other is begun.
    """
    executor = ThreadPoolExecutor(parallel, thread_name_prefix="task")
    try:
        for future in as_completed([executor.submit(attempt, work, task_id) for task_id in task_ids]):
            yield future.result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
