"""The levels one after another, each clip by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from spam_model.graph.model import SpamModel
from spam_model.values import Candidates
from tests.spam_model.graph.reference.edges import Edge, Rule, propose
from tests.spam_model.graph.reference.features import edge_features, motion_features, node_features
from tests.spam_model.graph.reference.network import Weights, edge_probability, node_probability, weights_of
from tests.spam_model.graph.reference.node_level import node_level
from tests.spam_model.graph.reference.tracklets import Clip, Seen, Tracklet, clip_of, tracklet_of

WINDOW = 512  # frames; longer clips are not served here


@dataclass(frozen=True)
class PlainLevel:
    """``nodes``: candidate rows of each node; the rest by edge."""

    nodes: list[list[int]]
    node_feature: list[list[float]]
    edge_feature: dict[Edge, list[float]]
    motion: dict[Edge, list[float]]
    probability: dict[Edge, float]
    chosen: set[Edge]


@dataclass(frozen=True)
class PlainResult:
    node_edges: list[Edge]
    node_probability: list[float]
    levels: list[PlainLevel]
    track_of: list[int]


def label_plainly(model: SpamModel, candidates: Candidates) -> PlainResult:
    """Node level and association levels, no constraint in force."""
    assert candidates.info.frame_count <= WINDOW
    weights, clip = weights_of(model), clip_of(candidates)
    edges, node, edge = node_level(clip)
    valid = node_probability(weights, model.node.config.steps, np.array(node), np.array(edge), edges)
    kept = kept_rows(model, clip, valid)
    tracks = [[one] for one in clip.seen if one.row in kept]
    levels = []
    clip_length, number = 2, 1
    while clip_length < 2 * clip.frames:
        if clip_length >= 32:
            tracks = [boxes for boxes in tracks if len(boxes) > 1]
        level = associate(weights, model.association.config.steps, clip, tracks, clip_length, number)
        tracks = [one_box_per_frame(boxes) for boxes in merged(tracks, level.chosen)]
        levels.append(level)
        clip_length, number = 2 * clip_length, number + 1
    track_of = [-1] * len(clip.seen)
    for track, boxes in enumerate(tracks):
        for one in boxes:
            track_of[one.row] = track
    return PlainResult(edges, valid, levels, track_of)


def kept_rows(model: SpamModel, clip: Clip, valid: list[float]) -> set[int]:
    """The candidates that the node level keeps, each class by itself."""
    kept = set()
    for class_id in {one.class_id for one in clip.seen}:
        mine = [one for one in clip.seen if one.class_id == class_id]
        keeps = model.decision.keeps(np.array([one.score for one in mine]), np.array([valid[one.row] for one in mine]))
        kept |= {one.row for one, keep in zip(mine, keeps, strict=True) if keep}
    return kept


def associate(
    weights: Weights, steps: int, clip: Clip, tracks: list[list[Seen]], clip_length: int, number: int
) -> PlainLevel:
    """One level, clip after clip."""
    overlap = round(0.3 * clip.rate) if clip_length >= 16 else 0
    rule = Rule(clip_length, min(clip_length, WINDOW), overlap)
    nodes = [tracklet_of(boxes, clip.rate) for boxes in tracks]
    features = [node_features(clip, node, clip_length) for node in nodes]
    level = PlainLevel([[one.row for one in boxes] for boxes in tracks], features, {}, {}, {}, set())
    for start in range(0, clip.frames, clip_length):
        inside = [index for index, node in enumerate(nodes) if start <= node.first < start + clip_length]
        add_clip(level, weights, steps, clip, nodes, inside, rule, number)
    return level


def add_clip(
    level: PlainLevel,
    weights: Weights,
    steps: int,
    clip: Clip,
    nodes: list[Tracklet],
    inside: list[int],
    rule: Rule,
    number: int,
) -> None:
    here = [nodes[index] for index in inside]
    cost = propose(clip, here, rule)
    if not cost:
        return
    feature = edge_features(clip, here, cost)
    edges = list(feature)
    motion = {(i, j): motion_features(clip, here[i], here[j]) for i, j in edges}
    node = np.array([level.node_feature[index] for index in inside])
    given = [np.array([of[edge] for edge in edges]) for of in (feature, motion)]
    found = edge_probability(weights, steps, node, *given, edges, number)
    chosen = matched(dict(zip(edges, found, strict=True)), len(here))
    for (i, j), probability in zip(edges, found, strict=True):
        name = inside[i], inside[j]
        level.edge_feature[name] = feature[i, j]
        level.motion[name] = motion[i, j]
        level.probability[name] = probability
        if (i, j) in chosen:
            level.chosen.add(name)


def matched(probability: dict[Edge, float], count: int) -> set[Edge]:
    """Maximum-weight bipartite matching of out-ends and in-ends, weights 2p − 1, never one of p ≤ 0.5."""
    gain = np.zeros((count, count))
    for (i, j), p in probability.items():
        gain[i, j] = max(2 * p - 1, 0.0)
    return {
        (i, j) for i, j in zip(*map(np.ndarray.tolist, linear_sum_assignment(-gain)), strict=True) if gain[i, j] > 0
    }


def merged(tracks: list[list[Seen]], chosen: set[Edge]) -> list[list[Seen]]:
    """Chains become one track, in the place of their earliest member."""
    after, linked = dict(chosen), {future for _, future in chosen}
    result = []
    for index in range(len(tracks)):
        if index in linked:
            continue
        boxes, at = list(tracks[index]), index
        while at in after:
            at = after[at]
            boxes += tracks[at]
        result.append(boxes)
    return result


def one_box_per_frame(boxes: list[Seen]) -> list[Seen]:
    """In time order; of two in a frame the surer, of equals the earlier row."""
    best: dict[int, Seen] = {}
    for one in sorted(boxes, key=lambda one: (-one.score, one.row)):
        best.setdefault(one.frame, one)
    return [best[frame] for frame in sorted(best)]
