"""Batches that fit the memory of a GPU, for every torch network that looks at images."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from spam_model.errors import DeviceError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_LOG = logging.getLogger(__name__)


class FittingBatches:
    """Runs a function on batches as large as given, and on halves where the GPU's memory does not suffice."""

    def __init__(self) -> None:
        self._largest: int | None = None  # None: none was ever too large

    def run(self, function: Callable[[Sequence[_Item]], Sequence[_Result]], items: Sequence[_Item]) -> list[_Result]:
        """What ``function`` says of each item. A size that was too large is not tried again.

        Raises:
            DeviceError: even one item does not fit.
        """
        results: list[_Result] = []
        while len(results) < len(items):
            rest = items[len(results) :]
            batch = rest[: self._largest]
            failed = False
            try:
                results += function(batch)
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise DeviceError(
                        "the GPU's memory does not suffice for a single image; use --device cpu, a smaller network, "
                        "or end what else runs on the GPU"
                    ) from error
                failed = True
                self._largest = len(batch) // 2
                _LOG.warning(
                    "the GPU's memory does not suffice for %d images at once; going on with %d",
                    len(batch),
                    self._largest,
                )
            if failed:
                torch.cuda.empty_cache()  # outside the handler, which still holds what did not fit
        return results
