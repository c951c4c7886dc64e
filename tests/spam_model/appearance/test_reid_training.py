from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.appearance import reid_training, resnet
from spam_model.appearance.recipes import RECIPES, Augmentation
from spam_model.appearance.reid_training import Budget, Checkpoint, ReidRun, separation, train_reid
from spam_model.appearance.resnet import ReidConfig, ReidNetwork
from spam_model.errors import DeviceError, FormatError, InputError
from tests.spam_model.appearance.crops_of import SIZE, people

RECIPE = replace(
    RECIPES["msmt17"],
    network=ReidConfig("resnet18", *SIZE),
    identities=4,
    images=4,
    augmentation=Augmentation(padding=2, erasing=0.2),
)
CROPS = people(8, 6)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sixteenth of the work."""
    monkeypatch.setattr(resnet, "WIDTHS", (16, 32, 64, 128))


def fresh(seed: int = 0) -> ReidNetwork:
    torch.manual_seed(seed)
    return ReidNetwork(RECIPE.network)


def run(steps: int, checkpoint: Checkpoint | None = None) -> ReidRun:
    return train_reid(fresh(), CROPS, RECIPE, Budget(steps=steps), checkpoint=checkpoint)


def test_a_few_steps_lower_the_loss_and_tell_strangers_apart() -> None:
    strangers = people(12, 5, first=100)
    network = fresh().eval()
    before = separation(network, strangers)  # 0.69, by colour; 0.96 after
    recipe = replace(
        RECIPE, learning_rate=2e-3, decay_at=(), identities=8, augmentation=Augmentation(padding=2, erasing=0)
    )
    loss = train_reid(network, people(24, 6), recipe, Budget(steps=30)).losses.sum(axis=1)
    assert loss.shape == (30,)
    assert loss[-5:].mean() < 0.7 * loss[:5].mean()
    assert separation(network, strangers) > before + 0.15


class KilledError(Exception):
    pass


def test_a_run_that_was_killed_and_goes_on_equals_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(5)
    path = tmp_path / "run.checkpoint"
    monkeypatch.setattr(reid_training, "CHECKPOINT_SECONDS", 0.0)
    write = reid_training._write

    def write_twice(*args: object) -> None:
        write(*args)
        if len(args[-1].losses) == 2:
            raise KilledError

    monkeypatch.setattr(reid_training, "_write", write_twice)
    with pytest.raises(KilledError):
        run(5, Checkpoint(path))
    monkeypatch.setattr(reid_training, "_write", write)
    resumed = run(5, Checkpoint(path, resume=True))
    assert (resumed.losses == whole.losses).all()
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name


def test_a_checkpoint_of_another_run_is_refused_and_a_broken_one_named(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        run(1, Checkpoint(path, resume=True))
    run(1, Checkpoint(path))
    with pytest.raises(InputError, match="made with steps 1, not 2"):
        run(2, Checkpoint(path, resume=True))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FormatError, match="does not read"):
        run(1, Checkpoint(path, resume=True))


def test_at_first_only_the_head_learns_where_the_recipe_says_so() -> None:
    recipe = replace(RECIPE, epochs=10, head_only=5, network=replace(RECIPE.network, neck=False, reduction=32))
    torch.manual_seed(0)
    network = ReidNetwork(recipe.network)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    train_reid(network, CROPS, replace(recipe, head_only=10), Budget(steps=2))
    after = network.state_dict()
    changed = {name.split(".")[0] for name, tensor in before.items() if not torch.equal(after[name], tensor)}
    assert changed == {"fc"}
    train_reid(network, CROPS, recipe, Budget(steps=2))
    assert not torch.equal(network.state_dict()["conv1.weight"], before["conv1.weight"])


@pytest.mark.parametrize(
    ("budget", "steps", "seconds", "share"),
    [
        (Budget(), 50, 9.0, 0.5),
        (Budget(steps=200), 50, 9.0, 0.25),
        (Budget(minutes=0.5), 50, 9.0, 0.3),
    ],
)
def test_a_budget_is_in_epochs_steps_or_minutes(budget: Budget, steps: int, seconds: float, share: float) -> None:
    assert budget.done(steps, seconds, recipe_steps=100) == pytest.approx(share)


def test_a_batch_too_large_for_the_gpu_says_what_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(ReidNetwork, "forward", out_of_memory)
    with pytest.raises(DeviceError, match=r"a batch of 16 crops does not fit .* lower --identities"):
        run(1)


def test_separation_is_one_for_a_network_that_sees_the_identity_and_a_half_for_a_blind_one() -> None:
    class Looking(torch.nn.Module):
        def __init__(self, sees: bool) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))
            self.sees = sees

        def embed(self, crops: torch.Tensor) -> torch.Tensor:
            colour = crops[:, :, 16, 16].sign() + crops[:, :, 16, 16] * 0.01 if self.sees else torch.ones(len(crops), 3)
            return torch.nn.functional.normalize(colour)

    flat = [np.full((*SIZE, 3), value, np.uint8) for value in (20, 20, 240, 240)]
    crops = reid_training.IdentityCrops("flat", np.array([0, 0, 1, 1]), lambda index: flat[index])
    assert separation(Looking(True), crops) == 1
    assert separation(Looking(False), crops) == 0.5
