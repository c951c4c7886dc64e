"""A simulated motion model: good where little is hidden, misleading where much is."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.geometry import iou_rows
from spam_model.simulation import SimulatedClip, SimulationConfig, simulate
from spam_model.simulation.following import OFFSETS
from spam_model.values import MotionEvidence

CONFIG = SimulationConfig(frame_count=120, people=18, followed=True)


@pytest.fixture(scope="module")
def clip() -> SimulatedClip:
    return simulate(CONFIG, 2)


@pytest.fixture(scope="module")
def evidence(clip: SimulatedClip) -> MotionEvidence:
    assert clip.candidates.motion is not None
    return clip.candidates.motion


def test_candidates_are_followed_forwards_and_backwards_over_the_offsets(
    clip: SimulatedClip, evidence: MotionEvidence
) -> None:
    offset = evidence.frame - clip.candidates.frame[evidence.id]
    assert set(np.abs(offset)) == set(OFFSETS)
    assert (offset > 0).any()
    assert (offset < 0).any()


def test_the_last_box_of_a_track_is_followed_on(clip: SimulatedClip, evidence: MotionEvidence) -> None:
    frame = clip.candidates.frame
    for person in np.unique(clip.identity[clip.identity >= 0]):
        rows = np.flatnonzero(clip.identity == person)
        gaps = np.flatnonzero(np.diff(frame[rows]) > 1)
        for row in rows[gaps]:
            second = np.flatnonzero((clip.candidates.frame == frame[row] + 1) & (clip.identity < 0))
            if len(second) == 0:  # else a part or a second box of the person may go on
                assert frame[row] + 1 in evidence.frame[evidence.id == row]


def test_who_is_seen_is_found_and_less_so_later(clip: SimulatedClip, evidence: MotionEvidence) -> None:
    truth = {(int(t), int(f)): row for row, (t, f) in enumerate(zip(clip.truth.track, clip.truth.frame, strict=True))}
    rows = [truth.get((int(clip.identity[id]), int(f)), -1) for id, f in zip(evidence.id, evidence.frame, strict=True)]
    known = np.flatnonzero(np.array(rows) >= 0)
    there = np.array(rows)[known]
    overlap = iou_rows(evidence.box[known], clip.truth.box[there])
    offset = np.abs(evidence.frame - clip.candidates.frame[evidence.id])[known]
    seen = clip.truth.visibility[there] > 0.7
    assert overlap[seen & (offset <= 2)].mean() > 0.7
    assert overlap[offset >= 21].mean() < overlap[offset <= 2].mean()
    assert evidence.visibility[known][seen].mean() > evidence.visibility[known][~seen].mean() + 0.2


def test_following_changes_nothing_else(clip: SimulatedClip) -> None:
    plain = simulate(SimulationConfig(frame_count=120, people=18), 2)
    assert plain.candidates.motion is None
    assert (plain.candidates.box == clip.candidates.box).all()
    assert (plain.candidates.embedding == clip.candidates.embedding).all()
