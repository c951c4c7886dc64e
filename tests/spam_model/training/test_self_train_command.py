from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest

from spam_model.commands import self_train as command
from spam_model.errors import DeviceError, InputError
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.training import adapt, sources
from tests.spam_model.training.test_recorded import write_sequence


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["self-train", *words])


def test_the_better_weights_are_written_without_any_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapt, "HELD_OUT_CLIPS", 2)
    monkeypatch.setattr(sources, "MOST_CANDIDATES", (100, 200))
    folder = write_sequence(tmp_path / "video")
    shutil.rmtree(folder / "gt")
    out = tmp_path / "out"
    args = parsed(str(folder), "--steps", "2", "--out", str(out), "--json", "--device", "cpu")
    assert args.run(args) == 0
    said = json.loads(capsys.readouterr().out)
    model = SpamModel.load(Path(said["weights"]))
    base = SpamModel.load(SHIPPED_WEIGHTS).version
    assert said["base"] == base
    assert (model.version != base) == said["self_trained"]
    assert said["steps"] == 2
    card = (out / "README.md").read_text()
    assert f"Version `{model.version}`, from `{base}`" in card
    assert "no ground truth was read" in card
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["nowhere"], InputError, "nowhere: no such file or folder"),
        (["a", "--minutes", "0"], InputError, "more than nothing"),
        (["a", "b", "--constraints", "c.json"], InputError, "single target"),
        (["{video}", "--device", "cuda:99"], DeviceError, "cuda:99"),
        (["{video}", "--weights", "nowhere.safetensors"], InputError, "no weights at"),
    ],
)
def test_what_cannot_be_done_is_said_first(
    words: list[str], error: type[Exception], message: str, tmp_path: Path
) -> None:
    video = str(write_sequence(tmp_path / "video"))
    args = parsed(*(word.format(video=video) for word in words), "--out", str(tmp_path / "out"))
    with pytest.raises(error, match=message):
        args.run(args)
