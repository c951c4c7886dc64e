"""Where does a track go on? Anywhere in the video, in another track or in boxes that were rejected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.active.questions import stakes
from spam_model.active.questions.draft import Draft
from spam_model.active.questions.outgoing import CONTEXT_BOXES
from spam_model.active.questions.runs import rejected_chains
from spam_model.active.questions.view import ReviewView, logit
from spam_model.graph.gating import appearance, mid_gap_residual, pair_height
from spam_model.graph.states import HEAD, TAIL, Tracklets, build_tracklets
from spam_model.values import OPTION_LETTERS, LabelResult, Query, QueryKind, Topic, node_ends
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

PAIR_FEATURES = (
    "log distance", "log height ratio", "log gap", "overlap", "border",
    "appearance", "has appearance", "link", "has link", "rejected", "rejected strength", "rejected log boxes",
)  # fmt: skip
LONGEST_GAP = 20.0  # s
LONGEST_OVERLAP = 2.0  # s, a track that slipped onto something else before it ended
LEAST_CHANCE = 1e-3
LONGEST_FLIGHT = 2.0  # s of extrapolation


@dataclass(frozen=True)
class Continuations:
    """Pairs of a track's end and another fragment's start.

    Attributes:
        fragments: rows of each fragment, the tracks first, then chains of rejected boxes.
        edge: [2, E] fragments.
        features: [E, len(PAIR_FEATURES)].
        tracks: how many of the fragments are tracks.
    """

    fragments: list[IntArray]
    edge: IntArray
    features: FloatArray
    tracks: int


def continuations(view: ReviewView) -> Continuations:
    """All pairs within reach of time; distances in heights, times in seconds."""
    tracks = list(view.tracks.values())
    fragments = [*tracks, *rejected_chains(view)]
    node_of = np.full(len(view.result.candidates), -1)
    for number, rows in enumerate(fragments):
        node_of[rows] = number
    nodes = build_tracklets(view.scene, node_of)
    edge = _in_reach(view, nodes, len(tracks))
    return Continuations(fragments, edge, _pair_features(view, nodes, edge, fragments, len(tracks)), len(tracks))


def next_drafts(view: ReviewView, found: Continuations, probability: FloatArray) -> Iterator[Draft]:
    """One for each end of a pushed track: which of up to seven fragments is its next occurrence?

    Args:
        probability: [E] of the pairs in ``found``. The features of a draft are the sum over its options, at most 1.
    """
    order = np.lexsort((-probability, found.edge[0]))
    order = order[probability[order] > 0]
    past, starts = np.unique(found.edge[0, order], return_index=True)
    for node, pairs in zip(past.tolist(), np.split(order, starts)[1:], strict=True):
        rows = found.fragments[node]
        if not view.pushed[rows].any():
            continue
        shown = pairs[: len(OPTION_LETTERS)]
        options = found.edge[1, shown]
        chance = probability[shown]
        total = float(chance.sum())
        if total < LEAST_CHANCE:
            continue
        gains = [
            stakes.parts(len(rows), len(found.fragments[option]))
            if option < found.tracks
            else stakes.missed_part(len(found.fragments[option]), len(rows))
            for option in options.tolist()
        ]
        yield Draft(
            topic=Topic.NEXT,
            features=(min(total, 1.0),),
            stake=float(chance @ np.array(gains)) / total,
            clicks=1,
            build=partial(
                _query,
                view.result,
                rows,
                [found.fragments[option] for option in options.tolist()],
                tuple(chance.tolist()),
            ),
        )


def _query(result: LabelResult, rows: IntArray, options: list[IntArray], chance: tuple[float, ...]) -> Query:
    return Query(
        kind=QueryKind.ASSOCIATION,
        level=len(result.hierarchy.levels),
        subject=anchors_of(result.candidates, rows[-CONTEXT_BOXES:]),
        options=tuple(anchors_of(result.candidates, option[:CONTEXT_BOXES]) for option in options),
        boxes_decided=min(len(rows), max(len(option) for option in options)),
        expected="nobody",
        option_probability=chance,
    )


def _in_reach(view: ReviewView, nodes: Tracklets, tracks: int) -> IntArray:
    """[2, E]: a later end, start and class alike; found by binary search in starts, so that time bounds the pairs."""
    rate = view.scene.frame_rate
    order = np.argsort(nodes.frame[:, HEAD], kind="stable")
    start = nodes.frame[order, HEAD]
    tail = nodes.frame[:tracks, TAIL]
    begin = np.searchsorted(start, tail - LONGEST_OVERLAP * rate)
    end = np.searchsorted(start, tail + LONGEST_GAP * rate)
    count = end - begin
    past = np.repeat(np.arange(tracks), count)
    within = np.arange(len(past)) - np.repeat(np.cumsum(count) - count, count)
    future = order[np.repeat(begin, count) + within]
    keep = (past != future) & (nodes.class_id[past] == nodes.class_id[future])
    keep &= (nodes.frame[future] > nodes.frame[past]).all(axis=1)
    return np.stack([past[keep], future[keep]])


def _pair_features(
    view: ReviewView, nodes: Tracklets, edge: IntArray, fragments: list[IntArray], tracks: int
) -> FloatArray:
    past, future = edge
    gap = (nodes.frame[future, HEAD] - nodes.frame[past, TAIL]) / view.scene.frame_rate
    flight = np.clip(gap, 0.0, LONGEST_FLIGHT)
    residual = mid_gap_residual(nodes, edge, flight)  # [E, windows, 4]
    jump = nodes.geometry[future, HEAD] - nodes.geometry[past, TAIL]
    moves = [np.hypot(jump[:, 0], jump[:, 1]), *np.hypot(residual[..., 0], residual[..., 1]).T]
    quantile, has = appearance(view.scene, nodes, edge)
    link, has_link = _links(view, fragments, edge)
    rejected = future >= tracks
    strength = np.array([view.strength[rows].mean() for rows in fragments])
    columns = [
        np.log(0.1 + np.minimum.reduce(moves) / pair_height(nodes, edge)),
        np.abs(jump[:, 2]),
        np.log(0.1 + np.maximum(gap, 0.0)),
        np.minimum(gap, 0.0),
        np.minimum(nodes.border[past, TAIL], 1.0),
        quantile,
        has,
        link,
        has_link,
        rejected,
        np.where(rejected, strength[future], 0.0),
        np.where(rejected, np.log(nodes.length[future]), 0.0),
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def _links(view: ReviewView, fragments: list[IntArray], edge: IntArray) -> tuple[FloatArray, BoolArray]:
    """Logit of the network's link between these fragments' ends at the highest level that saw it; and if any did."""
    keys: list[IntArray] = [np.zeros(0, np.int64)]
    logits: list[FloatArray] = [np.zeros(0)]
    count = len(view.result.candidates)
    for level in view.result.hierarchy.levels:
        first, last = node_ends(level.node_of)
        keys.append(last[level.edge[0]] * count + first[level.edge[1]])
        logits.append(logit(level.probability))
    ends = np.array([[rows[0], rows[-1]] for rows in fragments], np.int64).reshape(-1, 2)
    key, value = np.concatenate(keys)[::-1], np.concatenate(logits)[::-1]  # higher levels first
    known, position = np.unique(key, return_index=True)
    wanted = ends[edge[0], 1] * count + ends[edge[1], 0]
    if len(known) == 0:
        return np.zeros(len(wanted)), np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    has = known[place] == wanted
    return np.where(has, value[position[place]], 0.0), has
