"""Hypotheses: every pair of tracklets, gated, costed, and cut to each node's ten cheapest, mutually."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from tests.spam_model.graph.reference.tracklets import HEAD, LONG, SHORT, TAIL, Clip, Tracklet

Edge = tuple[int, int]


@dataclass(frozen=True)
class Rule:
    """In frames."""

    clip_length: int
    longest_gap: int
    overlap: int = 0


def propose(clip: Clip, nodes: list[Tracklet], rule: Rule) -> dict[Edge, float]:
    """Edges (past, future) and their costs."""
    cost = {
        (i, j): edge_cost(clip, past, future)
        for i, past in enumerate(nodes)
        for j, future in enumerate(nodes)
        if i != j and passes(clip, past, future, rule)
    }
    return mutual_best(cost, 10)


def mutual_best(cost: dict[Edge, float], count: int) -> dict[Edge, float]:
    """The edges that are among the ``count`` cheapest at both their nodes."""
    rank_out, rank_in = ranks(cost, 0), ranks(cost, 1)
    return {edge: value for edge, value in sorted(cost.items()) if rank_out[edge] < count and rank_in[edge] < count}


def ranks(cost: dict[Edge, float], side: int) -> dict[Edge, int]:
    """Position of each edge among those with the same past (side 0) or future (side 1) node, the cheapest 0."""
    at: dict[int, list[Edge]] = defaultdict(list)
    for edge in sorted(cost):
        at[edge[side]].append(edge)
    return {
        edge: position
        for edges in at.values()
        for position, edge in enumerate(sorted(edges, key=lambda edge: cost[edge]))
    }


def passes(clip: Clip, past: Tracklet, future: Tracklet, rule: Rule) -> bool:
    frames = future.first - past.last
    if past.class_id != future.class_id or not -rule.overlap < frames <= rule.longest_gap:
        return False
    if past.first // rule.clip_length != future.last // rule.clip_length:
        return False
    if rule.overlap and not (future.first > past.first and future.last > past.last):
        return False
    flight = min(max(frames / clip.rate, 0.0), 3.0)
    h = pair_height(past, future)
    dx, dy, dh, _ = jump(past, future)
    return abs(dx) <= (0.45 + 3.0 * flight) * h and abs(dy) <= (0.45 + 0.9 * flight) * h and abs(dh) <= 0.8


def edge_cost(clip: Clip, past: Tracklet, future: Tracklet) -> float:
    """log(0.05 + the least distance over height and 0.1 s + gap) + 2 |log height ratio, fitted| + appearance."""
    gap = gap_seconds(clip, past, future)
    dx, dy, _, _ = jump(past, future)
    short, long = (mid_gap(clip, past, future, window) for window in (SHORT, LONG))
    distance = min(math.hypot(dx, dy), math.hypot(short[0], short[1]), math.hypot(long[0], long[1]))
    motion = distance / pair_height(past, future) / (0.1 + gap)
    return math.log(0.05 + motion) + 2.0 * abs(short[2]) + appearance(clip, past, future)[0]


def gap_seconds(clip: Clip, past: Tracklet, future: Tracklet) -> float:
    return max(future.first - past.last, 0) / clip.rate


def jump(past: Tracklet, future: Tracklet) -> list[float]:
    """From the last box of one to the first of the other: px, px, log height, log width."""
    a, b = past.ends[TAIL].seen.geometry, future.ends[HEAD].seen.geometry
    return [b[channel] - a[channel] for channel in range(4)]


def pair_height(past: Tracklet, future: Tracklet) -> float:
    return math.sqrt(math.exp(past.ends[TAIL].seen.geometry[2]) * math.exp(future.ends[HEAD].seen.geometry[2]))


def moved_to_middle(clip: Clip, past: Tracklet, future: Tracklet, window: int) -> tuple[list[float], list[float]]:
    """Both ends where the fit sees them in the middle of the gap; sizes stay."""
    half = gap_seconds(clip, past, future) / 2
    tail, head = past.ends[TAIL], future.ends[HEAD]
    ahead, behind = list(tail.position[window]), list(head.position[window])
    for channel in (0, 1):
        ahead[channel] += tail.velocity[window][channel] * half
        behind[channel] -= head.velocity[window][channel] * half
    return ahead, behind


def mid_gap(clip: Clip, past: Tracklet, future: Tracklet, window: int) -> list[float]:
    ahead, behind = moved_to_middle(clip, past, future, window)
    return [b - a for a, b in zip(ahead, behind, strict=True)]


def appearance(clip: Clip, past: Tracklet, future: Tracklet) -> tuple[float, float]:
    """Quantile of the distance among random pairs, and 1; or 0, 0 where one has no appearance."""
    if past.embedding is None or future.embedding is None or not clip.scale:
        return 0.0, 0.0
    return clip.quantile(1.0 - float(np.sum(past.embedding * future.embedding))), 1.0
