"""Second opinions on the decisions of a run: the same boxes and hypotheses, seen by another model or perturbed.

The hypotheses stay those of the run, so that probabilities are compared edge by edge and what people have answered is
the same to all; nothing is matched anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from spam_model.active.baselines.pool import PerDecision
from spam_model.device import resolve_device
from spam_model.graph.features import edge_features, motion_features, node_features
from spam_model.graph.gating import propose_edges
from spam_model.graph.hierarchy import WINDOW, level_rule
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.graph.node_level import node_graph
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, Tracklets, build_tracklets
from spam_model.values import Candidates, Hierarchy, Level, binary_entropy
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

Opinion = Callable[[Candidates, Hierarchy, BoolArray], PerDecision]


def opinion_of(weights: Path | None = None, device: str = "auto") -> Opinion:
    """The model in a weights file (None: the shipped one) as an ``Opinion``.

    Raises:
        InputError: no such file, or not weights of this model.
        DeviceError: the device is not there.
    """
    model = SpamModel.load(weights or SHIPPED_WEIGHTS).to(resolve_device(device))
    return lambda candidates, hierarchy, present: rescore(model, candidates, hierarchy, present)


def rescore(model: SpamModel, candidates: Candidates, hierarchy: Hierarchy, present: BoolArray) -> PerDecision:
    """Calibrated probabilities of a run's decisions, without people's answers to them.

    Args:
        candidates: those of the run, boxes and scores perturbed or not.
        present: [N] which of them this opinion is given; without a box at either end, an edge has none (NaN).
    """
    rows = np.flatnonzero(present)
    scene = Scene.of(candidates.take(rows))
    node = np.full(len(candidates), np.nan)
    with torch.inference_mode():
        node[rows] = _node_level(model, scene, candidates.box[rows])
        edges = tuple(
            _association_level(model, scene, level, rows, again=level.index < position)
            for position, level in enumerate(hierarchy.levels, start=1)
        )
    return PerDecision(node, edges)


def mutual_information(opinions: Sequence[FloatArray]) -> FloatArray:
    """H(mean p) − mean H(p) in nats over opinions [D], NaN where one has none: 0 where all agree. -> [D].

    The information that the decision holds about who is right (BALD); for perturbed views, their Jensen-Shannon
    divergence.
    """
    p = np.stack(opinions)  # [K, D]
    gain = binary_entropy(np.nanmean(p, axis=0)) - np.nanmean(binary_entropy(p), axis=0)
    return np.asarray(np.maximum(gain, 0.0))


def disagreement(opinions: Sequence[PerDecision]) -> PerDecision:
    """``mutual_information`` of every decision; the first opinion has none missing."""
    levels = zip(*(opinion.edges for opinion in opinions), strict=True)
    node = mutual_information([opinion.node for opinion in opinions])
    return PerDecision(node, tuple(mutual_information(edges) for edges in levels))


def _node_level(model: SpamModel, scene: Scene, box: FloatArray) -> FloatArray:
    """[N'] of the candidates present, window by window as in a run."""
    probability = np.zeros(len(scene))
    nodes = build_tracklets(scene, np.arange(len(scene)))
    window = scene.frame // WINDOW
    for current in np.unique(window):
        rows = np.flatnonzero(window == current)
        edge, node_feature, edge_feature = node_graph(scene.take(rows), nodes.take(rows), box[rows])
        probability[rows] = model.calibrate(model.node_logits(node_feature, edge_feature, edge)[-1], 0)
    return probability


def _association_level(model: SpamModel, scene: Scene, level: Level, rows: IntArray, again: bool) -> FloatArray:
    """[E] of the level's own edges, window by window as in a run.

    Args:
        again: the level is one of those that follow answers, which hold the links of loose ends only.
    """
    node_of = level.node_of[rows]
    present = np.unique(node_of[node_of >= 0])
    position = np.full(int(level.node_of.max(initial=-1)) + 2, -1)  # [V + 1] among the nodes present, -1 for none
    position[present] = np.arange(len(present))
    nodes = build_tracklets(scene, position[node_of])
    edge = position[level.edge]
    probability = np.full(edge.shape[1], np.nan)
    known = np.flatnonzero((edge >= 0).all(axis=0))
    window = nodes.frame[:, HEAD] // max(WINDOW, level.clip_length)
    in_one_clip = np.ptp(nodes.frame // level.clip_length, axis=1) == 0  # after answers, tracks are in the way too
    for current in np.unique(window[edge[0, known]]):
        inside = np.flatnonzero((window == current) & in_one_clip)
        here = known[window[edge[0, known]] == current]
        local, own = np.searchsorted(inside, edge[:, here]), nodes.take(inside)
        scored, place = (
            _with_the_settled(scene, own, local, level.clip_length) if again else (local, np.arange(len(here)))
        )
        logits = model.edge_logits(
            node_features(scene, own, level.clip_length),
            edge_features(scene, own, scored),
            scored,
            level.index,
            motion_features(scene, own, scored),
        )
        probability[here] = model.calibrate(logits[-1], level.index)[place]
    return probability


def _with_the_settled(scene: Scene, nodes: Tracklets, edge: IntArray, clip_length: int) -> tuple[IntArray, IntArray]:
    """All the hypotheses that these edges [2, E] were scored among, and which of them they are. [2, E'], [E]."""
    proposed = propose_edges(scene, nodes, level_rule(scene, clip_length))
    own, other = (np.ravel_multi_index(tuple(pairs), (len(nodes), len(nodes))) for pairs in (edge, proposed))
    everything = np.union1d(own, other)
    return np.stack(np.divmod(everything, len(nodes))), np.searchsorted(everything, own)
