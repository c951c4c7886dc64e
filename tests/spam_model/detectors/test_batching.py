"""Batches that fit: a stand-in for a GPU that holds three images."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pytest
import torch

from spam_model.detectors.batching import FittingBatches
from spam_model.errors import DeviceError


def gpu_for(capacity: int, tried: list[int]) -> Callable[[Sequence[int]], list[int]]:
    def double(items: Sequence[int]) -> list[int]:
        tried.append(len(items))
        if len(items) > capacity:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return [2 * item for item in items]

    return double


def test_a_batch_that_fits_is_run_whole() -> None:
    tried: list[int] = []
    assert FittingBatches().run(gpu_for(8, tried), range(8)) == list(range(0, 16, 2))
    assert tried == [8]


def test_a_batch_that_does_not_fit_is_halved_once_and_for_all(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[int] = []
    batches = FittingBatches()
    with caplog.at_level(logging.WARNING):
        assert batches.run(gpu_for(3, tried), range(9)) == list(range(0, 18, 2))
        assert tried == [9, 4, 2, 2, 2, 2, 1]
        assert batches.run(gpu_for(3, tried), range(4)) == [0, 2, 4, 6]
    assert tried[7:] == [2, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "the GPU's memory does not suffice for 9 images at once; going on with 4",
        "the GPU's memory does not suffice for 4 images at once; going on with 2",
    ]


def test_what_does_not_fit_alone_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DeviceError, match="single image; use --device cpu"):
        FittingBatches().run(gpu_for(0, []), range(4))


def test_nothing_is_run_for_nothing() -> None:
    tried: list[int] = []
    assert FittingBatches().run(gpu_for(8, tried), []) == []
    assert tried == []
