"""The hierarchy as it is trained: each level on the model's own output below, without a gradient between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from spam_model.graph.hierarchy import (
    LONE_BOX_CLIP,
    LevelGraph,
    drop_lone_boxes,
    level_clips,
    level_graphs,
    merge,
    one_box_per_frame,
    renumber,
)
from spam_model.graph.matching import match
from spam_model.graph.model import SpamModel
from spam_model.graph.states import build_tracklets
from spam_model.training.dataset import NodeStep, TrainingClip
from spam_model.training.targets import edge_targets, tracklet_identities
from spam_model.values import node_ends
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

WEIGHT_BETWEEN_FALSE = 0.1
"""Weight of an edge between two false positives, from clips of 32 frames on.

In short clips such edges teach the network to leave clutter alone, and lone boxes are dropped. What lasts longer is
valid or not by its score; there the question is identity only, and to call unsure tracks unlinkable only breaks them:
fine-tuned with weight 0.1 against 1, MOT17-05 and MOT17-11 (tune) had 72.2 against 71.1 HOTA combined.
"""


@dataclass(frozen=True)
class Step:
    """A graph of a level with what is true of its edges, [E] bool, and how much each of them counts, [E] float32."""

    level: int
    graph: LevelGraph
    target: BoolArray
    weight: FloatArray


Decide = Callable[[Step], FloatArray]  # what is seen of a level -> probability of each edge, [E]


def rollout(clip: TrainingClip, kept: BoolArray, levels: int, decide: Decide) -> None:
    """Shows ``decide`` the graphs of the first ``levels`` levels, each resting on what it said of those below.

    Args:
        kept: [N], which candidates enter.
    """
    scene = clip.scene
    node_of = renumber(np.where(kept, np.arange(len(scene)), -1))
    for level, clip_length in enumerate(level_clips(scene.frame_count)[:levels], start=1):
        node_of = drop_lone_boxes(node_of, clip_length)
        nodes = build_tracklets(scene, node_of)
        identity = tracklet_identities(node_of, clip.identity)
        first, last = node_ends(node_of)
        chosen: list[IntArray] = [np.zeros((2, 0), np.int64)]
        for graph in level_graphs(scene, nodes, clip_length):
            edge = graph.nodes[graph.edge]
            weight = np.minimum(clip.weight[last[edge[0]]], clip.weight[first[edge[1]]])
            both_false = (identity[edge] < 0).all(axis=0)
            weight[both_false & (clip_length >= LONE_BOX_CLIP)] *= WEIGHT_BETWEEN_FALSE
            probability = decide(Step(level, graph, edge_targets(nodes, identity, edge), weight.astype(np.float32)))
            chosen.append(edge[:, match(graph.edge, probability)])
        node_of = one_box_per_frame(scene, merge(node_of, np.concatenate(chosen, axis=1)))


def edge_logits(model: SpamModel, step: Step) -> Tensor:
    """[steps - 1, E]."""
    graph = step.graph
    return model.edge_logits(graph.node_feature, graph.edge_feature, graph.edge, step.level, graph.motion)


def node_logits(model: SpamModel, step: NodeStep) -> Tensor:
    """[steps - 1, N]."""
    return model.node_logits(step.node_feature, step.edge_feature, step.edge)
