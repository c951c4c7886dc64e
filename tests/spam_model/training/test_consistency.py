from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.evaluation import evaluate
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.training.consistency import MOST_FORGOTTEN, Comparison, Verdict, agreement, judge, tracks
from spam_model.training.dataset import labelled_at
from spam_model.values import ClipInfo, Constraints, GroundTruth, Labels
from tests.spam_model.graph.worlds import random_candidates
from tests.spam_model.training.clips import SmallCrowds

INFO = ClipInfo("clip", 40, 25.0, 1000, 500)


def labels_of(tracks: list[int]) -> Labels:
    """Candidate k lies in frame k // 4, apart from all others of its frame, in track ``tracks[k]``; 0 is none."""
    track = np.array(tracks)
    id = np.flatnonzero(track)
    left = 100.0 * (id % 4)
    box = np.stack([left, left * 0, left + 50, left * 0 + 100], axis=1)
    return Labels.build(INFO, track[id], id // 4, box, candidate_id=id)


def one_box_a_frame(tracks: list[int]) -> list[int]:
    seen: set[tuple[int, int]] = set()
    kept = []
    for k, track in enumerate(tracks):
        kept.append(0 if (track, k // 4) in seen else track)
        seen.add((track, k // 4))
    return kept


@pytest.mark.parametrize(
    ("first", "second", "expected", "why"),
    [
        ([1, 1, -1], [5, 5, -1], 1.0, "names do not matter"),
        ([1, 1], [1, 2], 0.5, "a broken track"),
        ([1, 1], [-1, -1], 0.0, "a missing track"),
        ([-1, -1], [-1, -1], 1.0, "nothing here, nothing there"),
        ([], [], 1.0, "no candidates"),
        ([1, 2, 1, 2, 1, 2], [1, 2, 1, 2, 2, 1], 2 / 3, "a swap at the end"),
    ],
)
def test_agreement_by_hand(first: list[int], second: list[int], expected: float, why: str) -> None:
    assert agreement(np.array(first, np.int64), np.array(second, np.int64)) == pytest.approx(expected), why


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=8, max_size=40))
def test_agreement_is_the_idf1_of_trackeval(pairs: list[tuple[int, int]]) -> None:
    first, second = (labels_of(one_box_a_frame([pair[side] for pair in pairs])) for side in (0, 1))
    if len(first) == 0 or len(second) == 0:
        return
    truth = GroundTruth(
        INFO, first.track, first.frame, first.box, first.class_id, np.ones(len(first)), np.zeros(len(first), bool)
    )
    shown = np.arange(len(pairs))
    ours = agreement(tracks(first, shown), tracks(second, shown))
    assert ours == pytest.approx(evaluate(truth, second).idf1 / 100)
    assert ours == pytest.approx(agreement(tracks(second, shown), tracks(first, shown)))


@pytest.mark.parametrize("bias", [-20.0, 20.0])
def test_a_model_that_links_nothing_or_all_is_not_preferred(bias: float) -> None:
    good = SpamModel.load(SHIPPED_WEIGHTS)
    bad = copy.deepcopy(good)
    with torch.no_grad():
        bad.association.classifier[-1].bias += bias
    dense = SmallCrowds(frames=(60,), people=12.0)
    crowds = [labelled_at(dense, 0, index)[0] for index in range(3)]
    verdict = judge(good, bad, [random_candidates(2, people=5, frames=30)], [Constraints()], crowds)
    assert verdict.simulated.gain < -2 * MOST_FORGOTTEN
    assert not verdict.prefers_student


BETTER, SAME, WORSE = (Comparison(0.8, 0.8 + gain, error=0.01) for gain in (0.02, 0.005, -0.05))
LITTLE_WORSE = Comparison(0.8, 0.79, error=0.001)


@pytest.mark.parametrize(
    ("target", "simulated", "expected", "why"),
    [
        (BETTER, BETTER, True, "better in both"),
        (BETTER, SAME, True, "better where it matters"),
        (BETTER, LITTLE_WORSE, True, "a little forgotten"),
        (BETTER, WORSE, False, "it has forgotten what it knew"),
        (SAME, BETTER, False, "no better than chance on the target"),
        (WORSE, BETTER, False, "worse on the target"),
        (Comparison(0.6, 0.7, error=0.01), BETTER, False, "the teacher contradicts itself"),
    ],
)
def test_the_student_is_preferred_where_it_is_better_by_more_than_chance(
    target: Comparison, simulated: Comparison, expected: bool, why: str
) -> None:
    assert Verdict(target, simulated).prefers_student is expected, why


def test_a_comparison_knows_its_error() -> None:
    comparison = Comparison.of(np.array([[0.5, 0.6], [0.7, 0.9]]))
    assert (comparison.teacher, comparison.student) == pytest.approx((0.6, 0.75))
    assert comparison.error == pytest.approx(np.std([0.1, 0.2], ddof=1) / np.sqrt(2))
    assert Comparison.of(np.array([[0.5, 0.6]])).error == 0.0
