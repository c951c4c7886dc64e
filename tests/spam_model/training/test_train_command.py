from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from spam_model.commands import train as command
from spam_model.errors import DeviceError, InputError
from spam_model.graph.model import SpamModel
from spam_model.training import examination, loop, sources
from tests.spam_model.data.test_motsynth import mot_release


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["train", *words])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_CANDIDATES", (100, 200))
    monkeypatch.setattr(loop, "STATISTICS_CLIPS", 3)
    monkeypatch.setattr(examination, "FITTING_CLIPS", 2)
    monkeypatch.setattr(examination, "REPORTING_CLIPS", 2)
    monkeypatch.setattr(command, "ODDS_CLIPS", 1)


def test_the_command_writes_weights_card_and_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = parsed("--data", "simulated", "--minutes", "0.005", "--seed", "4", "--out", str(tmp_path))
    assert args.run(args) == 0
    said = capsys.readouterr()
    model = SpamModel.load(Path(said.out.strip()))
    card = (tmp_path / "README.md").read_text()
    assert f"Version `{model.version}`" in card
    assert "`spam-model train --data simulated --minutes 0.005 --seed 4`" in card
    assert "no human label" in card
    assert "Apache-2.0" in card
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((tmp_path / "questions.json").read_text())) > 0
    assert "training on cpu" in said.err or "training on cuda" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "curves.png",
        "questions.json",
        "spam.safetensors",
    ]


def test_several_data_sets_are_mixed_and_the_card_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = mot_release(tmp_path / "motsynth")
    words = ["--data", "simulated", "--data", "motsynth", str(root), "--steps", "2", "--device", "cpu"]
    args = parsed(*words, "--out", str(tmp_path / "out"))
    assert args.run(args) == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| data | simulated + motsynth motsynth, 1 sequences |" in card
    assert f"--data motsynth {root} --steps 2" in card
    assert "not annotation-free" in card


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["--minutes", "0"], InputError, "--minutes 0"),
        (["--steps", "0"], InputError, "--steps 0"),
        (["--data", "videos"], InputError, "--data videos: give simulated"),
        (["--data", "motsynth", "nowhere"], InputError, "nowhere: no MOTSynth here"),
        (["--data", "motchallenge", "nowhere"], InputError, "nowhere: no MOTChallenge sequence"),
        (["--device", "cuda:99"], DeviceError, "cuda:99"),
        (["--resume"], InputError, "no checkpoint to resume from"),
    ],
)
def test_what_cannot_be_trained_is_said_before_training(
    words: list[str], error: type[Exception], message: str, tmp_path: Path
) -> None:
    args = parsed("--out", str(tmp_path), *words)
    with pytest.raises(error, match=message):
        args.run(args)
