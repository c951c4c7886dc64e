from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.errors import FormatError, InputError
from spam_model.graph.model import LEVELS, SpamModel
from spam_model.training import loop
from spam_model.training.dataset import Stream, TrainingClip
from spam_model.training.loop import Checkpoint, Schedule, train
from spam_model.training.rollout import Step, rollout
from spam_model.training.standardisation import fit_statistics
from spam_model.training.trainer import Trainer
from tests.spam_model.training.clips import SmallCrowds

SOURCE = SmallCrowds()


@pytest.fixture(scope="module")
def clips() -> list[TrainingClip]:
    return list(islice(Stream(SOURCE, 0), 6))


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "STATISTICS_CLIPS", 3)


def same_weights(one: SpamModel, other: SpamModel) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_features_are_standardised_on_the_training_material(clips: list[TrainingClip]) -> None:
    model = SpamModel()
    fit_statistics(model, clips)
    rows: list[np.ndarray] = []

    def follow_truth(step: Step) -> np.ndarray:
        rows.append(step.graph.edge_feature)
        return step.target.astype(float)

    for clip in clips:
        rollout(clip, clip.scene.score >= 0.1, LEVELS, follow_truth)
    scaled = model.scales["tracklet_edge"](torch.from_numpy(np.concatenate(rows)))
    assert scaled.mean(dim=0).abs().max() < 0.2
    assert scaled.std(dim=0).max() < 1.2


def test_a_few_steps_lower_the_loss(clips: list[TrainingClip]) -> None:
    torch.manual_seed(0)
    model = SpamModel()
    fit_statistics(model, clips)
    trainer = Trainer(model)
    trainer.learning_rate = 2e-3
    clip = max(clips, key=lambda clip: len(clip.scene))
    losses = []
    for _ in range(20):
        by_level = trainer.learn(clip, levels=2)
        assert set(by_level) == {0, 1, 2}
        losses.append(sum(by_level.values()))
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    ("done", "levels", "why"),
    [(0.0, 1, "the first level alone"), (0.15, 5, "half of them"), (0.3, LEVELS, "all"), (1.0, LEVELS, "all")],
)
def test_levels_unlock_one_after_another(done: float, levels: int, why: str) -> None:
    assert Schedule().levels(done) == levels, why
    assert Schedule(unlocked_after=0.0).levels(done) == LEVELS


def test_a_budget_is_in_time_or_in_steps() -> None:
    assert Schedule(minutes=2).done(steps=7, seconds=60) == 0.5
    assert Schedule(minutes=2, steps=14).done(steps=7, seconds=600) == 0.5
    assert Schedule().rate(0.0, 0) < Schedule().rate(0.0, 100) > Schedule().rate(0.9, 100) > 0


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Schedule(steps=4)
    whole = train(SOURCE, schedule, seed=2)
    path = tmp_path / "out" / "checkpoint.safetensors"
    learn = Trainer.learn
    calls = iter(range(100))

    def killed(self: Trainer, clip: TrainingClip, levels: int) -> dict[int, float]:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return learn(self, clip, levels)

    monkeypatch.setattr(Trainer, "learn", killed)
    with pytest.raises(KeyboardInterrupt):
        train(SOURCE, schedule, seed=2, checkpoint=Checkpoint(path, seconds=0.0))
    monkeypatch.setattr(Trainer, "learn", learn)
    resumed = train(SOURCE, schedule, seed=2, checkpoint=Checkpoint(path, resume=True))
    assert np.array_equal(whole.losses, resumed.losses, equal_nan=True)
    assert same_weights(whole.model, resumed.model)


def test_a_run_goes_on_with_its_own_settings_only(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        train(SOURCE, Schedule(steps=1), checkpoint=Checkpoint(path, resume=True))
    train(SOURCE, Schedule(steps=1), checkpoint=Checkpoint(path))
    for seed, schedule, name in ((1, Schedule(steps=1), "seed 0, not 1"), (0, Schedule(steps=9), "steps 1, not 9")):
        with pytest.raises(InputError, match=f"made with {name}"):
            train(SOURCE, schedule, seed=seed, checkpoint=Checkpoint(path, resume=True))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(FormatError, match="checkpoint"):
        train(SOURCE, Schedule(steps=1), checkpoint=Checkpoint(path, resume=True))
