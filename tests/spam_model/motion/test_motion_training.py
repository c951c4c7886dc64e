"""What the motion model is trained on says the truth, and training learns from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from spam_model.errors import FormatError, InputError
from spam_model.geometry import iou_rows
from spam_model.motion.emm import decode, places
from spam_model.motion.model import Backbone, MotionModel
from spam_model.motion.motion_training import TripletSampler, _projected, calibrate, targets, train_motion
from spam_model.motion.training_data import (
    FeatureBank,
    TrainingFrame,
    TrainingSequence,
    move_image,
    read_training_data,
)
from tests.spam_model.motion.worlds import HEIGHT, WIDTH, ColourEyes, PatchClip, colour_model, straight


def sequence_of(clip: PatchClip, bank: FeatureBank, visibility: float = 1.0) -> TrainingSequence:
    frames = []
    for number, image in clip.frames():
        box = clip.boxes(number)
        seen = np.full(len(box), 1.0 if number < 10 else visibility)
        frames.append(TrainingFrame(bank.add(image), box, np.arange(len(box)), seen, (WIDTH, HEIGHT)))
    return TrainingSequence("patches", tuple(frames))


@pytest.fixture
def sampler(tmp_path: Path) -> Iterator[TripletSampler]:
    bank = FeatureBank(tmp_path / "features.f16", ColourEyes())
    path = np.concatenate([straight(20, (30, 40), (2, 0)), straight(20, (130, 80), (-2, 0))])
    yield TripletSampler([sequence_of(PatchClip(path), bank)], bank, np.random.default_rng(0))


def test_visible_triplets_show_the_template_where_the_truth_says_and_others_do_not(sampler: TripletSampler) -> None:
    model = colour_model()
    overlap, hidden = [], []
    for _ in range(14):
        batch = sampler.batch()
        with torch.no_grad():
            template, search = (_projected(model, batch.level, each) for each in (batch.template, batch.search))
            visibility, box = decode(model.explicit(template, search))
        low, high = torch.maximum(box[:, :2], batch.truth[:, :2]), torch.minimum(box[:, 2:], batch.truth[:, 2:])
        shared = (high - low).clamp(min=0).prod(dim=1)
        both = (box[:, 2:] - box[:, :2]).prod(dim=1) + (batch.truth[:, 2:] - batch.truth[:, :2]).prod(dim=1)
        overlap += (shared / (both - shared))[batch.visible].tolist()
        hidden += visibility[~batch.visible & (torch.stack(batch.template).abs().mean(dim=(1, 2, 3)) > 0.5)].tolist()
    assert np.median(overlap) > 0.8
    assert len(hidden) >= 3
    assert max(hidden) < 0.5  # of templates that are full of colour, and not cut from the ground


def test_the_same_seed_draws_the_same_triplets(tmp_path: Path) -> None:
    bank = FeatureBank(tmp_path / "features.f16", ColourEyes())
    sequence = sequence_of(PatchClip(straight(15, (40, 50), (2, 0))), bank)
    first, second, third = (TripletSampler([sequence], bank, np.random.default_rng(seed)).batch() for seed in (1, 1, 2))
    assert torch.equal(first.truth, second.truth)
    assert torch.equal(torch.stack(first.search), torch.stack(second.search))
    assert first.truth.shape != third.truth.shape or not torch.equal(first.truth, third.truth)


def test_objects_that_are_half_hidden_are_not_learned_from(tmp_path: Path) -> None:
    bank = FeatureBank(tmp_path / "features.f16", ColourEyes())
    sequence = sequence_of(PatchClip(straight(20, (40, 50), (2, 0))), bank, visibility=0.2)
    for _ in range(3):
        assert (TripletSampler([sequence], bank, np.random.default_rng(0)).batch().truth).isfinite().all()
    hidden = sequence_of(PatchClip(straight(20, (40, 50), (2, 0))), bank, visibility=0.0)
    frames = TripletSampler(
        [TrainingSequence("", (hidden.frames[0], hidden.frames[15]))], bank, np.random.default_rng(3)
    )
    assert not frames.batch().visible.any()


def test_targets_equal_those_of_the_paper_place_by_place() -> None:
    truth = torch.tensor([[-0.4, -0.6, 0.5, 0.3], [0.1, 0.1, 1.2, 0.9]])
    visible, centreness = targets(truth, torch.tensor([True, False]))
    for place, (x, y) in enumerate(places().tolist()):
        x0, y0, x1, y1 = truth[0].tolist()
        left, right, up, down = x - x0, x1 - x, y - y0, y1 - y
        inside = min(left, right, up, down) > 0
        assert bool(visible[0, place]) == inside
        assert not visible[1, place]
        if inside:
            wanted = np.sqrt(min(left, right) / max(left, right) * min(up, down) / max(up, down))
            assert float(centreness[0, place]) == pytest.approx(wanted, abs=1e-4)


def test_training_soon_finds_boxes_better(sampler: TripletSampler) -> None:
    torch.manual_seed(0)
    model = MotionModel(Backbone("colours", ColourEyes.strides, ColourEyes.channels), channels=8)
    done = train_motion(sampler, model, minutes=1, steps=12)
    assert done.steps == 12
    assert not model.training
    early, late = np.mean(done.losses[:4], axis=0), np.mean(done.losses[-4:], axis=0)
    assert (late[1:] < early[1:]).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_moved_images_boxes_move_with_it(seed: int) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[60:140, 100:150] = 200
    moved, box, visibility = move_image(image, np.array([[100.0, 60, 150, 140]]), np.random.default_rng(seed))
    assert moved.shape == image.shape
    assert visibility[0] > 0.99
    bright = np.argwhere(moved[..., 0].astype(int) > (int(moved.max()) + int(moved[0, 0, 0])) / 2)
    bright = bright[(np.abs(moved[tuple(bright.T)].astype(int) - 114).max(axis=1) > 25)]
    wanted = [bright[:, 1].min(), bright[:, 0].min(), bright[:, 1].max() + 1, bright[:, 0].max() + 1]
    assert box[0] == pytest.approx(np.array(wanted), abs=4)


def test_image_sets_become_pairs_and_folders_that_are_none_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / "images" / f"{number}.png"), np.full((60, 80, 3), 40 * number, np.uint8))
    (folder / "labels" / "labels.csv").write_text(
        "image,x1,y1,x2,y2\n0.png,10,10,40,50\n1.png,10,10,40,50\n1.png,5,5,9,9\n"
    )
    sequences, bank = read_training_data([str(folder)], ColourEyes(), tmp_path / "cache", images=3)
    assert len(bank) == 6  # three of the four images, twice each
    assert [len(sequence.frames) for sequence in sequences] == [2]  # one of the three shows somebody
    assert len(sequences[0].frames[0].box) == 1
    with pytest.raises(InputError, match="neither a MOTChallenge folder"):
        read_training_data([str(tmp_path)], ColourEyes(), tmp_path / "cache")
    (folder / "labels" / "labels.csv").write_text("image,x1\n0.png,3\n")
    with pytest.raises(FormatError, match="expected columns"):
        read_training_data([str(folder)], ColourEyes(), tmp_path / "cache")


def test_after_calibration_objects_are_found_as_often_as_visibility_says(tmp_path: Path) -> None:
    """On the triplets of the fit itself, where logistic regression promises equal means."""
    bank = FeatureBank(tmp_path / "features.f16", ColourEyes())
    path = np.concatenate([straight(20, (30, 40), (2, 0)), straight(20, (130, 80), (-2, 0))])
    sequences = [sequence_of(PatchClip(path), bank)]
    torch.manual_seed(0)
    model = MotionModel(Backbone("colours", ColourEyes.strides, ColourEyes.channels), channels=8).eval()
    calibrate(model, TripletSampler(sequences, bank, np.random.default_rng(3), 0.5), batches=4)
    said, found = [], []
    again = TripletSampler(sequences, bank, np.random.default_rng(3), 0.5)
    for _ in range(4):
        batch = again.batch()
        with torch.no_grad():
            template, search = (_projected(model, batch.level, each) for each in (batch.template, batch.search))
            visibility, box = decode(model.explicit(template, search))
        said += visibility.tolist()
        found += (batch.visible.numpy() & (iou_rows(box.numpy(), batch.truth.numpy()) >= 0.5)).tolist()
    assert 0.1 < np.mean(found) < 0.9
    assert np.mean(said) == pytest.approx(np.mean(found), abs=0.01)
