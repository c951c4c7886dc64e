from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spam_model.appearance import resnet
from spam_model.appearance.recipes import RECIPES
from spam_model.appearance.resnet_reid import ResNetReid
from spam_model.cli import main
from spam_model.commands import train_reid as command
from tests.spam_model.appearance.crops_of import SIZE, market_folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resnet, "WIDTHS", (16, 32, 64, 128))
    for name, recipe in RECIPES.items():
        network = replace(recipe.network, variant="resnet18", height=SIZE[0], width=SIZE[1])
        monkeypatch.setitem(command.RECIPES, name, replace(recipe, network=network, images=2))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return market_folder(tmp_path_factory.mktemp("market"), 20, 3)


def test_it_writes_weights_that_embed_and_says_how_well_they_do(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "reid.safetensors"
    words = ["train-reid", str(data), "-o", str(weights), "--identities", "4", "--steps", "2", "--device", "cpu"]
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    figures = json.loads(said.out)
    assert (figures["crops"], figures["identities"], figures["held_out_identities"]) == (54, 18, 2)
    assert 0 < figures["auc_before"] <= 1
    assert 0 < figures["auc"] <= 1
    assert "on 2 identities held out" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["reid.safetensors"]
    model = ResNetReid(weights, device="cpu")
    assert model.embed(np.zeros((90, 90, 3), np.uint8), np.array([[0.0, 0, 40, 80]])).shape == (1, 128)

    further = tmp_path / "further.safetensors"
    words = ["train-reid", str(data), "-o", str(further), "--identities", "4", "--steps", "1", "--device", "cpu"]
    assert main([*words, "--recipe", "motsynth", "--initial", str(weights)]) == 0
    assert capsys.readouterr().out == f"{further}\n"
    assert ResNetReid(further, device="cpu").dimension == 512


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "reid.pth"], "name the file so"),
        (["-o", "reid.safetensors", "--minutes", "0"], "more than 0 minutes"),
        (["-o", "reid.safetensors", "--steps", "0"], "1 step or more"),
        (["-o", "reid.safetensors", "--identities", "1"], "2 identities or more"),
        (["-o", "reid.safetensors", "--identities", "40"], "18 identities to train on, a batch takes 40"),
        (["-o", "reid.safetensors", "--steps", "1", "--resume"], "no checkpoint to resume from"),
        (["-o", "reid.safetensors", "--initial", "nothing.pth"], "no such weights"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str],
    said: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train-reid", str(data), *words, "--device", "cpu"]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
