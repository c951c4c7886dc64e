from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.errors import FormatError, InputError
from spam_model.graph.model import Decision, SpamModel
from spam_model.storage import pack, unpack
from tests.spam_model.graph.worlds import random_model


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    model = random_model(3)
    model.decision = Decision(learned=True, threshold=0.3)
    model.temperature[2] = 0.5
    model.save(tmp_path / "w.safetensors", about={"seed": 3})
    again = SpamModel.load(tmp_path / "w.safetensors")
    assert again.version == model.version
    assert again.decision == model.decision
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_the_version_follows_weights_and_decision() -> None:
    first, second, third = random_model(0), random_model(1), random_model(0)
    third.decision = Decision(threshold=0.77)
    assert len({first.version, second.version, third.version}) == 3
    assert random_model(0).version == first.version


def test_missing_weights_say_how_to_train(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="spam-model train"):
        SpamModel.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("damage", ["bytes", "shape", "missing", "nan", "config", "no config"])
def test_what_is_no_weights_of_ours_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    random_model(0).save(path)
    arrays, metadata = unpack("weights", path.read_bytes())
    name = "association.classifier.0.weight"
    if damage == "bytes":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        if damage == "shape":
            arrays[name] = arrays[name][:4]
        elif damage == "missing":
            del arrays[name]
        elif damage == "nan":
            arrays[name] = np.full_like(arrays[name], np.nan)
        elif damage == "config":
            metadata["config"] = json.dumps({"steps": "many"})
        else:
            del metadata["config"]
        path.write_bytes(pack("weights", arrays, metadata))
    with pytest.raises(FormatError):
        SpamModel.load(path)


def test_a_temperature_moves_no_decision() -> None:
    model = random_model(0)
    logit = torch.tensor([-2.0, -0.1, 0.1, 2.0])
    before = model.calibrate(logit, 1)
    model.temperature[1] = 3.0
    after = model.calibrate(logit, 1)
    assert ((before > 0.5) == (after > 0.5)).all()
    assert (np.abs(after - 0.5) < np.abs(before - 0.5)).all()


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_what_is_kept_by_score_does_not_depend_on_the_detectors_scale(scale: float) -> None:
    score = scale * np.linspace(0.1, 1.0, 100)
    kept = Decision(threshold=0.5).keeps(score, np.zeros(100))
    assert np.array_equal(kept, score >= 0.5 * np.percentile(score, 90))
    assert kept.sum() == 60  # 0.455 and above, of 0.1 + 0.9 k / 99


def test_a_learned_decision_asks_the_probability() -> None:
    keeps = Decision(learned=True, threshold=0.5).keeps
    assert keeps(np.array([0.9, 0.1]), np.array([0.2, 0.7])).tolist() == [False, True]
    assert keeps(np.zeros(0), np.zeros(0)).tolist() == []
