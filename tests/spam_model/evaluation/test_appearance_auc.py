"""Same or different: which crops and pairs count, and the area under the curve."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.data.clip import Image
from spam_model.evaluation.appearance_auc import (
    TruthCrops,
    area_under_curve,
    choose_crops,
    embed_crops,
    pair_auc,
)
from spam_model.values import ClipInfo, GroundTruth
from spam_model.values.candidates import FloatArray

INFO = ClipInfo("walk", 100, 10, 200, 100)


def truth_of(
    track: list[int], frame: list[int], *, x: float = 20, visibility: float = 1, ignored: bool = False
) -> GroundTruth:
    count = len(track)
    return GroundTruth(
        info=INFO,
        track=np.array(track),
        frame=np.array(frame),
        box=np.tile([x, 10.0, x + 20, 60.0], (count, 1)),
        class_id=np.zeros(count, np.int64),
        visibility=np.full(count, visibility),
        ignored=np.full(count, ignored),
    )


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30),
)
def test_the_area_is_the_share_of_pairs_of_pairs_in_the_right_order(pairs: list[tuple[int, bool]]) -> None:
    similarity, same = np.array([float(value) for value, _ in pairs]), np.array([kind for _, kind in pairs])
    found = area_under_curve(similarity, same)
    won = [(a > b) + 0.5 * (a == b) for a in similarity[same] for b in similarity[~same]]
    assert (found.same, found.different) == (same.sum(), (~same).sum())
    assert found.auc == pytest.approx(np.mean(won)) if won else np.isnan(found.auc)


def test_pairs_lie_at_least_the_gap_apart_and_never_in_one_frame() -> None:
    crops = TruthCrops(
        frame=np.array([0, 0, 5, 10]),
        box=np.zeros((4, 4)),
        track=np.array([1, 2, 1, 1]),
        class_id=np.zeros(4, np.int64),
    )
    embedding = np.eye(4, dtype=np.float32)
    counts = {gap: pair_auc(crops, embedding, 10, gap) for gap in (0, 0.5, 0.51, 1.1)}
    assert {gap: (count.same, count.different) for gap, count in counts.items()} == {
        0: (3, 2),
        0.5: (3, 2),
        0.51: (1, 1),
        1.1: (0, 0),
    }


def test_things_of_different_classes_are_no_pair() -> None:
    crops = TruthCrops(np.array([0, 9]), np.zeros((2, 4)), np.array([1, 2]), np.array([0, 1]))
    assert pair_auc(crops, np.eye(2, dtype=np.float32), 10, 0).different == 0


def test_an_embedding_of_the_identity_is_perfect_and_of_nothing_is_chance() -> None:
    rng = np.random.default_rng(3)
    crops = choose_crops(truth_of([track for track in range(5) for _ in range(20)], list(range(20)) * 5), 100)
    assert pair_auc(crops, np.eye(5, dtype=np.float32)[crops.track], 10, 0.5).auc == 1
    assert pair_auc(crops, np.ones((len(crops), 3), np.float32), 10, 0.5).auc == 0.5
    assert pair_auc(crops, rng.normal(size=(len(crops), 64)), 10, 0.5).auc == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("truth", "frames", "expected"),
    [
        (truth_of([1, 2], [3, 4]), 100, 2),
        (truth_of([1, 2], [3, 4]), 4, 1),  # no pixels from frame 4 on
        (truth_of([1, 2], [3, 4], visibility=0.4), 100, 0),
        (truth_of([1, 2], [3, 4], ignored=True), 100, 0),
        (truth_of([1, 2], [3, 4], x=-9), 100, 2),
        (truth_of([1, 2], [3, 4], x=-11), 100, 0),  # more than half outside
    ],
)
def test_crops_are_real_visible_and_in_the_image(truth: GroundTruth, frames: int, expected: int) -> None:
    assert len(choose_crops(truth, frames)) == expected


def test_a_long_clip_is_thinned_by_whole_frames() -> None:
    truth = truth_of([track for track in range(8) for _ in range(100)], list(range(100)) * 8)
    crops = choose_crops(truth, 100, max_crops=300)
    frames, counts = np.unique(crops.frame, return_counts=True)
    assert (counts == 8).all()
    assert (np.diff(frames) == 3).all()


class NumberedFrames:
    """Pictures whose grey is their number; says which were asked for."""

    def __init__(self) -> None:
        self.info = INFO
        self.asked: list[int] = []

    def frame(self, index: int) -> Image:
        self.asked.append(index)
        return np.full((100, 200, 3), index, np.uint8)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Image]]:
        raise NotImplementedError


class GreyAndLeftEdge:
    name = "grey and left edge"
    dimension = 2

    def embed(self, image: Image, boxes: FloatArray) -> FloatArray:
        return np.stack([np.full(len(boxes), image[0, 0, 0]), boxes[:, 0]], axis=1).astype(np.float32)


def test_each_crop_is_embedded_from_its_own_frame_which_is_read_once() -> None:
    truth = truth_of([1, 1, 2, 2, 3], [4, 8, 4, 9, 4])
    truth.box[:, 0] = [1, 2, 3, 4, 5]
    frames = NumberedFrames()
    crops = choose_crops(truth, 100)
    embedding = embed_crops(crops, frames, GreyAndLeftEdge())
    assert frames.asked == [4, 8, 9]
    assert embedding.tolist() == [[4, 1], [4, 3], [4, 5], [8, 2], [9, 4]]
    assert crops.track.tolist() == [1, 2, 3, 1, 2]
