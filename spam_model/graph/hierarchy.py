"""One run of the hierarchy: the node level, then associations over clips of 2, 4, 8 … frames until a clip is the video.

Above clips of 512 frames the clips go on doubling, but no gap may be longer than 512 frames. So a video of any length
is one hierarchy, no windows need stitching, and since clips share no edge, a level is computed window by window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from spam_model.graph.constraints import ResolvedConstraints
from spam_model.graph.features import edge_features, node_features
from spam_model.graph.gating import LevelRule, propose_edges
from spam_model.graph.identities import Identities, direct_links
from spam_model.graph.matching import match
from spam_model.graph.model import SpamModel
from spam_model.graph.node_level import node_graph
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, Tracklets, build_tracklets
from spam_model.values import Candidates, Hierarchy, Level
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

WINDOW = 512  # frames computed at a time, and the longest gap
LONE_BOX_CLIP = 32  # from clips of this length on, a tracklet of one box is noise
OVERLAP_CLIP = 16  # from clips of this length on, false tails may overlap
OVERLAP_SECONDS = 0.3


@dataclass(frozen=True)
class LevelGraph:
    """The hypotheses of one window of a level: features [V, F_v], [E, F_e] and edges [2, E] between ``nodes``.

    ``nodes``: [V] number of each node in the level; ``must``: [E] bool, demanded by a person.
    """

    nodes: IntArray
    node_feature: FloatArray
    edge_feature: FloatArray
    edge: IntArray
    must: BoolArray


def run_hierarchy(
    model: SpamModel, candidates: Candidates, constraints: ResolvedConstraints, progress: bool = False
) -> Hierarchy:
    """All levels, constraints in force at each. Deterministic."""
    scene = Scene.of(candidates)
    clip_lengths = level_clips(candidates.info.frame_count)
    bar = tqdm(total=1 + len(clip_lengths), desc="levels", disable=not progress, leave=False)
    with torch.inference_mode(), bar:
        node_probability = _node_probability(model, scene, candidates.box)
        kept = (model.decision.keeps(scene.score, node_probability) | constraints.fixed) & ~constraints.rejected
        node_probability[constraints.fixed] = 1.0
        node_probability[constraints.rejected] = 0.0
        node_of = renumber(np.where(kept, np.arange(len(candidates)), -1))
        identities = Identities(constraints, scene.frame)
        bar.update()
        levels = []
        for index, clip_length in enumerate(clip_lengths, start=1):
            node_of = drop_lone_boxes(node_of, clip_length, constraints.fixed)
            level = _associate(model, scene, identities, node_of, index, clip_length)
            node_of = one_box_per_frame(scene, merge(node_of, level.edge[:, level.chosen]), constraints.fixed)
            levels.append(level)
            bar.update()
    tracks = one_box_per_frame(scene, identities.unite_tracks(node_of), constraints.fixed)
    return Hierarchy(node_probability, kept, tuple(levels), renumber(tracks))


def level_clips(frame_count: int) -> list[int]:
    """Clip lengths of the levels: 2, 4, 8 … frames, the last covers the video; none for a single frame."""
    return [2**level for level in range(1, max(frame_count - 1, 0).bit_length() + 1)]


def level_rule(scene: Scene, clip_length: int) -> LevelRule:
    overlap = round(OVERLAP_SECONDS * scene.frame_rate) if clip_length >= OVERLAP_CLIP else 0
    return LevelRule(clip_length, min(clip_length, WINDOW), overlap)


def level_graphs(
    scene: Scene, nodes: Tracklets, clip_length: int, must: IntArray | None = None
) -> Iterator[LevelGraph]:
    """The graphs of a level, one for each window that has an edge.

    Args:
        must: [2, M] edges that people demand, added where gating left them out.
    """
    must = np.zeros((2, 0), np.int64) if must is None else must
    window = nodes.frame[:, HEAD] // max(WINDOW, clip_length)
    for current in np.unique(window):
        rows = np.flatnonzero(window == current)
        inside = nodes.take(rows)
        edge = propose_edges(scene, inside, level_rule(scene, clip_length))
        demanded = np.searchsorted(rows, must[:, window[must[0]] == current])
        key = np.concatenate([edge[0], demanded[0]]) * len(rows) + np.concatenate([edge[1], demanded[1]])
        key = np.unique(key)
        edge = np.stack([key // len(rows), key % len(rows)])
        if edge.shape[1] == 0:
            continue
        yield LevelGraph(
            nodes=rows,
            node_feature=node_features(scene, inside, clip_length),
            edge_feature=edge_features(scene, inside, edge),
            edge=edge,
            must=np.isin(key, demanded[0] * len(rows) + demanded[1]),
        )


def drop_lone_boxes(node_of: IntArray, clip_length: int, fixed: BoolArray) -> IntArray:
    """Tracklets of one box leave from clips of 32 frames on, unless people vouch for them; numbers close up."""
    if clip_length < LONE_BOX_CLIP:
        return node_of
    length = np.bincount(node_of[node_of >= 0], minlength=1)
    lone = (node_of >= 0) & (length[node_of] == 1) & ~fixed
    return renumber(np.where(lone, -1, node_of))


def merge(node_of: IntArray, chosen: IntArray) -> IntArray:
    """Chains of chosen edges become one node, numbered by its earliest member. [N], [2, C] -> [N]."""
    count = int(node_of.max(initial=-1)) + 1
    successor = np.arange(count)
    successor[chosen[1]] = chosen[0]  # each future node points back
    while not np.array_equal(successor, successor[successor]):
        successor = successor[successor]
    return np.where(node_of >= 0, successor[node_of] if count else -1, -1)


def one_box_per_frame(scene: Scene, node_of: IntArray, fixed: BoolArray) -> IntArray:
    """Where a node has two boxes in a frame, the one that people vouch for stays, else the surer; numbers close up."""
    rows = np.flatnonzero(node_of >= 0)
    order = rows[np.lexsort((rows, -scene.score[rows], ~fixed[rows], scene.frame[rows], node_of[rows]))]
    again = np.zeros(len(order), bool)
    again[1:] = (np.diff(node_of[order]) == 0) & (np.diff(scene.frame[order]) == 0)
    result = node_of.copy()
    result[order[again]] = -1
    return renumber(result)


def renumber(node_of: IntArray) -> IntArray:
    """Numbers 0 … V - 1 in the order of the old ones; -1 stays. [N] -> [N]."""
    result = np.full(len(node_of), -1, np.int64)
    valid = node_of >= 0
    result[valid] = np.unique(node_of[valid], return_inverse=True)[1]
    return result


def _node_probability(model: SpamModel, scene: Scene, box: FloatArray) -> FloatArray:
    """Calibrated probability that a candidate is valid, window by window. [N]."""
    probability = np.zeros(len(scene))
    nodes = build_tracklets(scene, np.arange(len(scene)))
    window = scene.frame // WINDOW
    for current in np.unique(window):
        rows = np.flatnonzero(window == current)
        edge, node_feature, edge_feature = node_graph(scene.take(rows), nodes.take(rows), box[rows])
        logits = model.node_logits(node_feature, edge_feature, edge)
        probability[rows] = model.calibrate(logits[-1], 0)
    return probability


def _associate(
    model: SpamModel, scene: Scene, identities: Identities, node_of: IntArray, index: int, clip_length: int
) -> Level:
    """One level: hypotheses, probabilities, constraints, matching."""
    nodes = build_tracklets(scene, node_of)
    demanded = identities.must_edges(node_of, nodes.frame, clip_length)
    edges: list[IntArray] = [np.zeros((2, 0), np.int64)]
    probabilities: list[FloatArray] = [np.zeros(0)]
    musts: list[BoolArray] = [np.zeros(0, bool)]
    for graph in level_graphs(scene, nodes, clip_length, demanded):
        logits = model.edge_logits(graph.node_feature, graph.edge_feature, graph.edge, index)
        edges.append(graph.nodes[graph.edge])
        probabilities.append(model.calibrate(logits[-1], index))
        musts.append(graph.must)
    edge, probability = np.concatenate(edges, axis=1), np.concatenate(probabilities)
    must = direct_links(edge, np.concatenate(musts), probability, nodes.frame)
    representative, labelled = identities.representatives(node_of)
    probability = identities.clamp(edge, must, probability, representative, labelled)
    chosen = identities.join(edge, match(edge, probability), must, probability, representative, labelled)
    return Level(index, clip_length, node_of, edge, probability, chosen)
