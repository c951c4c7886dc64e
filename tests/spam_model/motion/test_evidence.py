"""Evidence for the graph: where the objects of loose ends are seen."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.geometry import iou_rows
from spam_model.motion.evidence import mean_velocity, motion_evidence
from spam_model.motion.propagation import VISIBLE, ClipFeatures
from spam_model.values import Candidates
from tests.spam_model.motion.worlds import ColourEyes, PatchClip, colour_model, straight


def test_each_end_is_followed_its_own_way_at_the_offsets() -> None:
    clip = PatchClip(np.concatenate([straight(40, (30, 40), (2, 0)), straight(40, (130, 80), (-2, 0))]))
    candidates = Candidates.build(
        clip.info,
        np.array([10, 10, 30]),
        np.concatenate([clip.boxes(10), clip.boxes(30)[1:]]),
        np.ones(3),
        id=np.array([70, 30, 50]),
    )
    model = colour_model()
    features = ClipFeatures(clip, ColourEyes(), model)
    evidence = motion_evidence(
        model,
        features,
        candidates,
        np.array([70, 50, 30, 30]),
        np.array([1, -1, 1, -1]),
        velocity=np.array([[2.0, 0], [-2, 0], [-2, 0], [-2, 0]]),
        offsets=(1, 4, 12),
    )
    found = {
        (id, frame): row
        for row, (id, frame) in enumerate(zip(evidence.id.tolist(), evidence.frame.tolist(), strict=True))
    }
    wanted = {(70, 11), (70, 14), (70, 22), (50, 29), (50, 26), (50, 18), (30, 11), (30, 14), (30, 22)}
    assert set(found) == wanted | {(30, 9), (30, 6)}  # the clip begins at 0: no twelfth frame before
    for (id, frame), row in found.items():
        truth = clip.boxes(frame)[0 if id == 70 else 1][None]
        assert iou_rows(evidence.box[row][None], truth)[0] > 0.6
    assert evidence.visibility.min() > VISIBLE


@pytest.mark.parametrize(("id", "direction"), [(99, 1), (0, 0), (0, 2)])
def test_ids_and_directions_that_are_none_are_refused(id: int, direction: int) -> None:
    clip = PatchClip(straight(3, (40, 40), (0, 0)))
    candidates = Candidates.build(clip.info, np.array([1]), clip.boxes(1), np.ones(1))
    model = colour_model()
    with pytest.raises(ValueError, match="evidence is for"):
        motion_evidence(
            model, ClipFeatures(clip, ColourEyes(), model), candidates, np.array([id]), np.array([direction])
        )


def test_velocity_is_the_slope_of_the_best_line() -> None:
    rng = np.random.default_rng(0)
    frame = np.array([3, 4, 7, 8, 11])
    middle = rng.normal(size=(5, 2)) * 5
    box = np.concatenate([middle - 3, middle + 3], axis=1)
    wanted = [np.polyfit(frame, middle[:, axis], 1)[0] for axis in (0, 1)]
    assert mean_velocity(frame, box) == pytest.approx(np.array(wanted))
    assert mean_velocity(frame[:1], box[:1]).tolist() == [0, 0]
