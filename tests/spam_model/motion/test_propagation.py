"""Boxes are followed through the pixels, forwards and backwards, also through an occlusion."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.motion.model import MotionModel
from spam_model.motion.propagation import VISIBLE, ClipFeatures, Way, propagate, start, step
from tests.spam_model.motion.worlds import ColourEyes, PatchClip, colour_model, overlaps, straight


@pytest.fixture(scope="module")
def model() -> MotionModel:
    return colour_model()


def features_of(clip: PatchClip, model: MotionModel) -> ClipFeatures:
    return ClipFeatures(clip, ColourEyes(), model)


@pytest.mark.parametrize("velocity", [(0.0, 0.0), (2.0, 0.0), (-1.5, 1.0)])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_patch_is_followed_without_being_told_its_velocity(
    model: MotionModel, velocity: tuple[float, float], backwards: bool
) -> None:
    clip = PatchClip(straight(25, (70, 50), velocity))
    begin, end = (24, 0) if backwards else (0, 24)
    moved = propagate(model, features_of(clip, model), clip.boxes(begin), np.array([begin]), np.array([end]))
    assert moved.frame.tolist() == (list(range(23, -1, -1)) if backwards else list(range(1, 25)))
    assert overlaps(moved.box, clip, moved.frame.tolist()).min() > 0.7
    assert moved.visibility.min() > VISIBLE


def test_a_turn_is_followed(model: MotionModel) -> None:
    there = straight(15, (40, 60), (2, 0))
    back = straight(15, (68, 60), (-2, 0))
    clip = PatchClip(np.concatenate([there, back], axis=1))
    moved = propagate(model, features_of(clip, model), clip.boxes(0), np.array([0]), np.array([29]))
    assert overlaps(moved.box, clip, moved.frame.tolist())[-1] > 0.6


def test_a_hidden_patch_is_dormant_and_found_again(model: MotionModel) -> None:
    path = straight(30, (30, 60), (2, 0))
    shown = PatchClip(path)
    hidden = path.copy()
    hidden[:, 12:17] = np.nan
    clip = PatchClip(hidden)
    moved = propagate(model, features_of(clip, model), clip.boxes(0), np.array([0]), np.array([29]))
    visible = dict(zip(moved.frame.tolist(), (moved.visibility >= VISIBLE).tolist(), strict=True))
    assert not any(visible[frame] for frame in range(12, 17))
    assert all(visible[frame] for frame in [*range(1, 12), *range(18, 30)])
    assert overlaps(moved.box[-1:], shown, [29])[0] > 0.7


def test_many_boxes_with_ends_of_their_own_are_as_each_by_itself(model: MotionModel) -> None:
    path = np.concatenate([straight(20, (30, 40), (2, 0)), straight(20, (120, 80), (-2, 0))])
    clip = PatchClip(path)
    features = features_of(clip, model)
    boxes = np.concatenate([clip.boxes(3), clip.boxes(10), clip.boxes(3)[:1]])
    begin, end = np.array([3, 3, 10, 10, 3]), np.array([9, 0, 19, 2, 3])
    together = propagate(model, features, boxes, begin, end)
    assert set(together.key.tolist()) == {0, 1, 2, 3}  # the last one goes nowhere
    for key in range(4):
        alone = propagate(model, features, boxes[key : key + 1], begin[key : key + 1], end[key : key + 1])
        rows = together.key == key
        assert together.frame[rows].tolist() == alone.frame.tolist()
        assert together.box[rows] == pytest.approx(alone.box, abs=1e-3)


def test_offsets_leave_frames_out_but_not_the_last(model: MotionModel) -> None:
    clip = PatchClip(straight(20, (40, 50), (1.5, 0)))
    eyes = ColourEyes()
    moved = propagate(
        model,
        ClipFeatures(clip, eyes, model),
        clip.boxes(2),
        np.array([2]),
        np.array([16]),
        velocity=np.array([[1.5, 0.0]]),
        offsets=(1, 3, 8),
    )
    assert moved.frame.tolist() == [3, 5, 10, 16]
    assert overlaps(moved.box, clip, moved.frame.tolist()).min() > 0.7
    assert eyes.looked_at == 5


def test_the_velocity_is_of_time_also_where_a_box_is_followed_backwards(model: MotionModel) -> None:
    path = np.full((1, 20, 2), np.nan)
    path[:, 19] = (90, 60)  # nothing to see before: it goes on as it was going
    clip = PatchClip(path)
    moved = propagate(
        model,
        features_of(clip, model),
        clip.boxes(19),
        np.array([19]),
        np.array([15]),
        velocity=np.array([[3.0, -1.0]]),
    )
    middle = (moved.box[:, :2] + moved.box[:, 2:]) / 2
    assert middle == pytest.approx(np.array([[87, 61], [84, 62], [81, 63], [78, 64]]), abs=1e-3)


@pytest.mark.parametrize("way", ["explicit", "implicit"])
def test_nobody_to_follow_is_no_error(model: MotionModel, way: Way) -> None:
    clip = PatchClip(straight(3, (40, 50), (0, 0)))
    features = features_of(clip, model)
    none = np.zeros((0, 4))
    state = step(model, features[1], 1, start(features[0], 0, none, way=way), way=way)
    assert len(state) == 0
    assert len(propagate(model, features, none, np.zeros(0, np.int64), np.zeros(0, np.int64))) == 0


def test_maps_are_computed_once_and_old_ones_forgotten(model: MotionModel) -> None:
    clip = PatchClip(straight(10, (40, 50), (0, 0)))
    eyes = ColourEyes()
    features = ClipFeatures(clip, eyes, model, kept=4)
    for frame in (0, 1, 2, 3, 0, 3):
        features[frame]
    assert eyes.looked_at == 4
    features[4]
    features[0]
    assert eyes.looked_at == 5  # 1 was the oldest
    features[1]
    assert eyes.looked_at == 6
