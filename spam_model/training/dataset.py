"""Training clips: clip k of seed s is a function of (s, k), whoever draws it, and whenever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from torch.utils.data import DataLoader, IterableDataset

from spam_model.errors import InputError
from spam_model.graph.node_level import node_graph
from spam_model.graph.scene import Scene
from spam_model.graph.states import build_tracklets
from spam_model.training.sources import Labelled, Source
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

LOWEST_SCORES = (0.1, 0.5)  # the threshold of the candidates that enter varies from clip to clip
MOST_DRAWS = 200
PREFETCHED = 16


@dataclass(frozen=True)
class NodeStep:
    """The node level's graph with what is true of its candidates, [N] bool, and how much it counts, [N] float32."""

    node_feature: FloatArray
    edge_feature: FloatArray
    edge: IntArray
    target: BoolArray
    weight: FloatArray


@dataclass(frozen=True)
class TrainingClip:
    """``identity`` and ``weight`` as in ``Labelled``; ``lowest_score``: of the candidates that enter association."""

    scene: Scene
    identity: IntArray
    weight: FloatArray
    lowest_score: float
    node: NodeStep

    @classmethod
    def of(cls, labelled: Labelled, lowest_score: float = LOWEST_SCORES[0]) -> TrainingClip:
        scene = Scene.of(labelled.candidates)
        nodes = build_tracklets(scene, np.arange(len(scene)))
        edge, node_feature, edge_feature = node_graph(scene, nodes, labelled.candidates.box)
        node = NodeStep(node_feature, edge_feature, edge, labelled.identity >= 0, labelled.weight)
        return cls(scene, labelled.identity, labelled.weight, lowest_score, node)


def labelled_at(source: Source, seed: int, index: int) -> tuple[Labelled, float]:
    """What the clip of this number is made of, drawn until it is not empty; and its lowest score.

    Raises:
        InputError: the source seems to give nothing but empty clips.
    """
    rng = np.random.default_rng([seed, index])
    for _ in range(MOST_DRAWS):
        labelled = source.draw(rng)
        lowest_score = float(rng.uniform(*LOWEST_SCORES))
        if len(labelled.candidates):
            return labelled, lowest_score
    raise InputError(f"{source.name}: {MOST_DRAWS} clips in a row without a candidate; is there anybody in this data?")


def clip_at(source: Source, seed: int, index: int) -> TrainingClip:
    """The clip of this number."""
    return TrainingClip.of(*labelled_at(source, seed, index))


@dataclass(frozen=True)
class Stream(IterableDataset[TrainingClip]):
    """Clips ``first``, ``first`` + ``stride``, …: each of several processes takes others, and a later run goes on."""

    source: Source
    seed: int
    first: int = 0
    stride: int = 1

    def __iter__(self) -> Iterator[TrainingClip]:
        return (clip_at(self.source, self.seed, index) for index in count(self.first, self.stride))

    def in_background(self) -> DataLoader[TrainingClip]:
        """The same clips, made by a second process while the first one trains."""
        return DataLoader(self, batch_size=None, num_workers=1, prefetch_factor=PREFETCHED)
