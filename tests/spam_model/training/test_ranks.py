from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spam_model.errors import DeviceError
from spam_model.graph.model import SpamModel
from spam_model.training.dataset import clip_at
from spam_model.training.ranks import Ranks, joined
from tests.spam_model.training.clips import SmallCrowds

ROOT = Path(__file__).parents[3]


def test_two_processes_end_with_the_same_weights(tmp_path: Path) -> None:
    """Their clips differ, and some lack levels that others have: nobody waits for ever, and all learn the same."""
    frames = [clip_at(SmallCrowds(), seed=1, index=2 + index).scene.frame_count for index in range(6)]
    assert any(one != other for one, other in zip(frames[::2], frames[1::2], strict=True))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "tests.spam_model.training.rank_main", str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (SpamModel.load(tmp_path / f"{rank}-of-2.safetensors") for rank in (0, 1))
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    torch.manual_seed(1)
    untrained = SpamModel().state_dict()
    assert any(not torch.equal(a, untrained[name]) for name, a in first.state_dict().items())


def test_a_process_alone_needs_no_group() -> None:
    with joined("cpu") as ranks:
        assert ranks == Ranks(torch.device("cpu"))
        assert ranks.leads
        assert ranks.in_words() == "cpu"
        assert ranks.agree(0.25) == 0.25
        assert not ranks.average_gradients([], has_loss=False)


def test_a_device_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DeviceError, match="cuda:99"), joined("cuda:99"):
        pass
