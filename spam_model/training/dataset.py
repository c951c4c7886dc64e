"""Simulated clips as training material: drawn anew for every step, so nothing is seen twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from torch.utils.data import DataLoader, IterableDataset

from spam_model.graph.node_level import node_graph
from spam_model.graph.scene import Scene
from spam_model.graph.states import build_tracklets
from spam_model.simulation import sample_config, simulate
from spam_model.values import Candidates
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

MOST_CANDIDATES = (800, 5000)  # of a clip, by shortening crowded ones; most clips small, so that many are seen
_CANDIDATES_PER_PERSON = 2.0


@dataclass(frozen=True)
class NodeStep:
    """The node level's graph with what is true of its candidates, [N] bool."""

    node_feature: FloatArray
    edge_feature: FloatArray
    edge: IntArray
    target: BoolArray


@dataclass(frozen=True)
class TrainingClip:
    """``identity``: [N] truth track of each candidate, -1 = false positive."""

    scene: Scene
    identity: IntArray
    node: NodeStep

    @classmethod
    def of(cls, candidates: Candidates, identity: IntArray) -> TrainingClip:
        scene = Scene.of(candidates)
        nodes = build_tracklets(scene, np.arange(len(scene)))
        edge, node_feature, edge_feature = node_graph(scene, nodes, candidates.box)
        return cls(scene, identity, NodeStep(node_feature, edge_feature, edge, identity >= 0))


def training_clips(seed: int) -> Iterator[TrainingClip]:
    """An endless stream of random clips; half of them have no appearance, as clips without pixels have none."""
    rng = np.random.default_rng(seed)
    while True:
        config = sample_config(rng)
        most = np.exp(rng.uniform(*np.log(MOST_CANDIDATES)))
        longest = max(16, int(most / (_CANDIDATES_PER_PERSON * config.people)))
        clip = simulate(replace(config, frame_count=min(config.frame_count, longest)), int(rng.integers(2**31)))
        candidates = clip.candidates
        if rng.random() < 0.5:
            candidates = replace(candidates, embedding=np.zeros((len(candidates), 0), np.float32))
        if len(candidates):
            yield TrainingClip.of(candidates, clip.identity)


def in_background(seed: int) -> DataLoader[TrainingClip]:
    """The same clips, made by a second process while the first one trains."""
    return DataLoader(_Stream(seed), batch_size=None, num_workers=1, prefetch_factor=16)


class _Stream(IterableDataset[TrainingClip]):
    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __iter__(self) -> Iterator[TrainingClip]:
        return training_clips(self._seed)
