from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.commands import train as command
from spam_model.errors import InputError
from spam_model.graph.model import LEVELS, SpamModel
from spam_model.training import dataset
from spam_model.training.dataset import TrainingClip, in_background, training_clips
from spam_model.training.loop import Trainer, fit_statistics
from spam_model.training.rollout import Step, rollout


@pytest.fixture(scope="module")
def clips() -> list[TrainingClip]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "MOST_CANDIDATES", (200, 400))
        return list(islice(training_clips(0), 6))


def test_clips_are_the_same_for_a_seed_and_half_have_no_appearance(
    clips: list[TrainingClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "MOST_CANDIDATES", (200, 400))
    for make in (training_clips, in_background):
        for one, other in zip(clips, make(0), strict=False):
            assert np.array_equal(one.scene.geometry, other.scene.geometry)
            assert np.array_equal(one.scene.embedding, other.scene.embedding)
            assert np.array_equal(one.node.edge, other.node.edge)
    assert {clip.scene.embedding.shape[1] for clip in clips} == {0, 32}


def test_true_links_rebuild_the_true_tracks(clips: list[TrainingClip]) -> None:
    """The graph holds the truth: following the targets joins nearly all neighbours in time of an identity."""
    for clip in clips:
        steps: list[Step] = []

        def follow_truth(step: Step, steps: list[Step] = steps) -> np.ndarray:
            steps.append(step)
            return step.target.astype(float)

        rollout(clip, clip.identity >= 0, LEVELS, follow_truth)
        links = sum(int(step.target.sum()) for step in steps)
        possible = (clip.identity >= 0).sum() - len(np.unique(clip.identity[clip.identity >= 0]))
        assert links >= 0.95 * possible


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
    losses = []
    for _ in range(25):
        by_level = trainer.learn(clips[3], levels=2, lowest_score=0.1)
        assert set(by_level) == {0, 1, 2}
        losses.append(sum(by_level.values()))
    assert losses[-1] < 0.7 * losses[0]


def test_the_train_command_writes_weights_card_and_curves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "MOST_CANDIDATES", (100, 200))
    monkeypatch.setattr("spam_model.training.loop.STATISTICS_CLIPS", 4)
    monkeypatch.setattr("spam_model.training.loop.HELD_OUT_CLIPS", 3)
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(
        ["train", "--data", "simulated", "--minutes", "0.03", "--seed", "4", "--out", str(tmp_path)]
    )
    assert args.run(args) == 0
    weights = Path(capsys.readouterr().out.strip())
    model = SpamModel.load(weights)
    card = (tmp_path / "README.md").read_text()
    assert f"Version `{model.version}`" in card
    assert "--minutes 0.03 --seed 4" in card
    assert "Apache-2.0" in card
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_no_time_is_no_training(tmp_path: Path) -> None:
    args = argparse.Namespace(minutes=0.0, seed=0, out=tmp_path)
    with pytest.raises(InputError, match="--minutes 0"):
        command.run(args)
