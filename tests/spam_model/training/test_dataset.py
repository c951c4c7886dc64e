from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from spam_model.graph.model import LEVELS
from spam_model.training import sources
from spam_model.training.dataset import Stream, TrainingClip, clip_at
from spam_model.training.rollout import Step, rollout
from spam_model.training.sources import Simulated, mixed
from tests.spam_model.training.clips import SmallCrowds


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_CANDIDATES", (200, 400))


def same(one: TrainingClip, other: TrainingClip) -> bool:
    return (
        np.array_equal(one.scene.geometry, other.scene.geometry)
        and np.array_equal(one.scene.embedding, other.scene.embedding)
        and np.array_equal(one.identity, other.identity)
        and np.array_equal(one.node.edge, other.node.edge)
        and one.lowest_score == other.lowest_score
    )


def test_a_clip_is_a_function_of_seed_and_number() -> None:
    source = Simulated()
    clips = list(islice(Stream(source, 5), 6))
    assert all(same(clip, clip_at(source, 5, index)) for index, clip in enumerate(clips))
    assert not same(clips[0], clips[1])
    assert not same(clips[0], clip_at(source, 6, 0))
    assert {clip.scene.embedding.shape[1] for clip in clips} == {0, 32}


def test_processes_share_the_clips_out_and_a_later_run_goes_on() -> None:
    source = SmallCrowds()
    clips = list(islice(Stream(source, 1), 6))
    for rank in (0, 1):
        shared = islice(Stream(source, 1, first=2 + rank, stride=2), 2)
        assert all(same(clip, clips[2 + rank + 2 * i]) for i, clip in enumerate(shared))


def test_a_second_process_makes_the_same_clips() -> None:
    stream = Stream(SmallCrowds(), 3)
    for one, other in zip(islice(stream, 3), stream.in_background(), strict=False):
        assert same(one, other)


def test_a_mixture_draws_from_each() -> None:
    assert mixed([SmallCrowds()]) == SmallCrowds()
    short, long = SmallCrowds("short", frames=(8,)), SmallCrowds("long", frames=(40,))
    both = mixed([short, long])
    assert both.name == "short + long"
    frames = {clip.scene.frame_count for clip in islice(Stream(both, 0), 12)}
    assert frames == {8, 40}


def test_true_links_rebuild_the_true_tracks() -> None:
    """The graph holds the truth: following the targets joins nearly all neighbours in time of an identity."""
    for clip in islice(Stream(Simulated(), 0), 5):
        steps: list[Step] = []

        def follow_truth(step: Step, steps: list[Step] = steps) -> np.ndarray:
            steps.append(step)
            return step.target.astype(float)

        rollout(clip, clip.identity >= 0, LEVELS, follow_truth)
        links = sum(int(step.target.sum()) for step in steps)
        possible = (clip.identity >= 0).sum() - len(np.unique(clip.identity[clip.identity >= 0]))
        assert links >= 0.95 * possible


def test_what_is_not_known_of_a_candidate_does_not_count_at_any_level() -> None:
    clip = clip_at(SmallCrowds(frames=(40,)), 0, 0)
    nothing = np.zeros(len(clip.scene), np.float32)
    unknown = TrainingClip(clip.scene, clip.identity, nothing, 0.1, clip.node)
    heavy = np.where(clip.identity == clip.identity.max(), 4, 1).astype(np.float32)
    told = TrainingClip(clip.scene, clip.identity, heavy, 0.1, clip.node)
    found = []

    def record(step: Step) -> np.ndarray:
        found.append(step.weight)
        return step.target.astype(float)

    rollout(unknown, clip.scene.score >= 0.1, LEVELS, record)
    assert not np.concatenate(found).any()
    found.clear()
    rollout(told, clip.scene.score >= 0.1, LEVELS, record)
    assert np.concatenate(found).max() == 4
