from __future__ import annotations

import pytest
import torch

from spam_model.device import resolve_device
from spam_model.errors import DeviceError

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def test_the_cpu_is_always_there() -> None:
    assert resolve_device("cpu") == torch.device("cpu")


def test_auto_takes_the_gpu_where_there_is_one() -> None:
    assert resolve_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("auto") == resolve_device()


@without_gpu
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7"])
def test_a_gpu_that_is_not_there_is_an_error_and_no_silent_cpu(name: str) -> None:
    with pytest.raises(DeviceError, match=f"--device {name}: no CUDA GPU is visible here; use --device cpu"):
        resolve_device(name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_can_be_named() -> None:
    assert resolve_device("cuda:0") == torch.device("cuda:0")


@pytest.mark.parametrize("name", ["", "gpu", "tpu9", "cpu:x", "mps", "meta", "cuda:x"])
def test_what_is_no_device_is_an_error_that_names_those_there_are(name: str) -> None:
    with pytest.raises(DeviceError, match="use auto, cpu, cuda or cuda:N"):
        resolve_device(name)
