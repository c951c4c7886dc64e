from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spam_model.detector_training.batches import Batch, BatchStream, batch_at
from spam_model.detector_training.loop import Schedule, train_detector, trained_columns
from spam_model.detector_training.losses import drift
from spam_model.detector_training.trainable import Part
from spam_model.detector_training.trainer import DetectorTrainer, moving_average
from spam_model.errors import InputError
from spam_model.geometry import iou_rows
from spam_model.training.loop import Checkpoint
from spam_model.values.candidates import FloatArray
from tests.spam_model.detector_training.pictures import VIEWS, Pictures, TinyDetector, two_pictures


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process that makes the batches costs seconds to start; one test has it."""
    monkeypatch.setattr(BatchStream, "in_background", lambda self: self)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_two_pictures_are_learnt_by_heart() -> None:
    """And their mirror images, for the views are mirrored half of the time."""
    detector, pictures = TinyDetector(), two_pictures()
    schedule = Schedule(steps=160, learning_rate=1e-2, warm_up=10, averaging=0.9)
    run = train_detector(detector, pictures, VIEWS, schedule)
    assert run.losses.shape == (160, 4)
    assert run.losses[-10:].sum(axis=1).mean() < 0.3 * run.losses[:3].sum(axis=1).mean()
    images = np.stack([sample.image for sample in pictures.samples])
    with torch.no_grad():
        said = detector.predict(run.network, torch.from_numpy(images), torch.tensor([0]))
    best = (said.objectness.sigmoid() * said.classes[..., 0].sigmoid()).argmax(dim=1)
    found = said.box[torch.arange(2), best].numpy()
    assert iou_rows(found, np.concatenate([sample.boxes.box for sample in pictures.samples])).min() > 0.7


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Schedule(steps=4, warm_up=2)
    whole = train_detector(TinyDetector(), two_pictures(), VIEWS, schedule, seed=3)
    path = tmp_path / "out" / "checkpoint.safetensors"
    learn, calls = DetectorTrainer.learn, iter(range(100))

    def killed(self: DetectorTrainer, batch: Batch) -> FloatArray:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return learn(self, batch)

    monkeypatch.setattr(DetectorTrainer, "learn", killed)
    with pytest.raises(KeyboardInterrupt):
        train_detector(TinyDetector(), two_pictures(), VIEWS, schedule, 3, checkpoint=Checkpoint(path, seconds=0.0))
    monkeypatch.setattr(DetectorTrainer, "learn", learn)
    other = TinyDetector(seed=5)  # whatever it has, the checkpoint replaces
    resumed = train_detector(other, two_pictures(), VIEWS, schedule, 3, checkpoint=Checkpoint(path, resume=True))
    assert np.array_equal(whole.losses, resumed.losses)
    assert same(whole.network, resumed.network)


def test_a_run_goes_on_with_its_own_settings_only(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    train_detector(TinyDetector(), two_pictures(), VIEWS, Schedule(steps=1), checkpoint=checkpoint)
    again = Checkpoint(checkpoint.path, resume=True)
    with pytest.raises(InputError, match="seed 0, not 1"):
        train_detector(TinyDetector(), two_pictures(), VIEWS, Schedule(steps=1), seed=1, checkpoint=again)


def test_only_the_part_that_is_trained_changes() -> None:
    detector, fresh = TinyDetector(), TinyDetector()
    train_detector(
        detector, two_pictures(), VIEWS, Schedule(steps=2, warm_up=1, part=Part.HEAD, frozen_norms=True, averaging=0.5)
    )
    assert same(detector.network["body"], fresh.network["body"]), "its norms included"
    assert not same(detector.network["head"], fresh.network["head"])


def test_the_rate_rises_then_falls() -> None:
    schedule = Schedule(learning_rate=1.0, warm_up=10)
    rates = [schedule.rate(step / 100, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert np.argmax(rates) == 9
    assert (np.diff(rates[9:]) < 0).all()
    assert rates[100] == pytest.approx(0.05)


def test_a_batch_is_a_function_of_seed_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    first = next(iter(BatchStream(two_pictures(), VIEWS, seed=4, first=7).in_background()))
    again = batch_at(two_pictures(), VIEWS, seed=4, index=7)
    assert np.array_equal(first.images, again.images)
    assert first.images.shape == (2, 64, 64, 3)


def test_classes_that_the_detector_does_not_have_are_named() -> None:
    with pytest.raises(InputError, match="tiny does not know cat; it knows person"):
        trained_columns(TinyDetector(), ("person", "cat"))
    samples = two_pictures()
    with pytest.raises(InputError, match="does not know car"):
        train_detector(TinyDetector(), Pictures(samples.samples, class_names=("car",)), VIEWS, Schedule(steps=1))


def test_maps_that_other_models_read_are_held_where_they_were() -> None:
    moved = []
    for faithfulness in (0.0, 100.0):
        detector, before = TinyDetector(), TinyDetector()
        schedule = Schedule(steps=20, learning_rate=3e-3, warm_up=1, averaging=0.0, faithfulness=faithfulness)
        run = train_detector(detector, two_pictures(), VIEWS, schedule)
        images = torch.from_numpy(np.stack([sample.image for sample in two_pictures().samples]))
        with torch.no_grad():
            now, then = (d.predict(d.network.eval(), images, torch.tensor([0])).maps for d in (detector, before))
        moved.append(float(drift(now, then)))
        assert (run.losses[:, 3] > 0).any() == (faithfulness > 0)
    assert moved[1] < 0.3 * moved[0]


@pytest.mark.parametrize(("forgetful", "left"), [(True, 0.0), (False, 0.9**50)])
def test_the_average_forgets_where_training_began(forgetful: bool, left: float) -> None:
    """Weights jump from 1 to 0 after the first update, and stay there."""
    average, count = [torch.ones(3)], [torch.tensor(7)]
    update = moving_average(0.9, forgetful)
    for number in range(1, 51):
        update(average, [torch.zeros(3)], number)
        update(count, [torch.tensor(number)], number)
    assert average[0].tolist() == pytest.approx([left] * 3, abs=0.01 * left + 1e-3)
    assert average[0].max() < 0.006
    assert count[0].item() == 50
