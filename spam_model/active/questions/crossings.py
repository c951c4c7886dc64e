"""Where two tracks pass each other: the places at which identities are swapped.

A model that swaps two people at a crossing is often sure of every single link there, so edge entropy does not find the
swap (design: 30–45 % found by links, at least 76 % by crossings). A crossing is an episode of overlap; the question is
which object after it is the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.active.questions import stakes
from spam_model.active.questions.draft import Draft
from spam_model.active.questions.outgoing import CONTEXT_BOXES
from spam_model.active.questions.view import ReviewView
from spam_model.geometry import iou_matrix
from spam_model.graph.gating import appearance, mid_gap_residual, pair_height
from spam_model.graph.states import HEAD, TAIL, build_tracklets
from spam_model.values import LabelResult, Labels, Query, QueryKind, Topic
from spam_model.values.candidates import FloatArray, IntArray

MIN_OVERLAP = 0.15  # IoU from which two boxes may be mistaken for each other
SAME_EPISODE_SECONDS = 1.0
APPROACH_SECONDS = 1.5  # of the ways before and after, by which motion tells who is who
FEATURES = ("overlap²", "log seconds", "weakest link", "residual", "margin", "size margin", "appearance margin", "has")

Parts = tuple[IntArray, IntArray]  # rows of a track before and after a crossing


@dataclass(frozen=True)
class Crossing:
    """Two tracks of the labels that overlap from frame ``start`` to ``end``; ``overlap`` is the largest IoU."""

    tracks: tuple[int, int]
    start: int
    end: int
    overlap: float


def crossing_drafts(view: ReviewView) -> Iterator[Draft]:
    """One per crossing, about the track for which more is at stake: which of the two is it afterwards?"""
    result = view.result
    row_of_label = result.candidates.rows_of(result.labels.candidate_id)  # [M], -1 for a filled gap
    track_rows = {track: _rows(result, row_of_label, track) for track in result.labels.track_ids.tolist()}
    found = []
    for crossing in crossings(result.labels):
        sides = [_parts(result, track_rows[track], crossing) for track in crossing.tracks]
        own = [stakes.parts(len(before), len(after)) for before, after in sides]
        mine = int(np.argmax(own))
        if own[mine] > 0:
            found.append((crossing, sides[mine], sides[1 - mine]))
    features = _features(view, found)
    for (_, (before, after), (other_before, other_after)), row in zip(found, features.tolist(), strict=True):
        yield Draft(
            topic=Topic.CROSSING,
            features=tuple(row),
            stake=max(
                stakes.parts(len(before), len(other_after)) + stakes.parts(len(other_before), len(after)),
                stakes.parts(len(before), len(after)),
            ),
            clicks=1,
            build=partial(_query, result, before, after, other_after),
        )


def _query(result: LabelResult, before: IntArray, after: IntArray, other_after: IntArray) -> Query:
    options = [rows[:CONTEXT_BOXES] for rows in (after, other_after) if len(rows)]
    return Query(
        kind=QueryKind.ASSOCIATION,
        level=len(result.hierarchy.levels),
        subject=anchors_of(result.candidates, before[-CONTEXT_BOXES:]),
        options=tuple(anchors_of(result.candidates, rows) for rows in options),
        boxes_decided=min(len(before), len(after)),
        expected="A",
    )


def _rows(result: LabelResult, row_of_label: IntArray, track: int) -> IntArray:
    rows = row_of_label[result.labels.rows(track)]
    return np.asarray(rows[rows >= 0])


def _parts(result: LabelResult, rows: IntArray, crossing: Crossing) -> Parts:
    frame = result.candidates.frame[rows]
    return rows[: np.searchsorted(frame, crossing.start)], rows[np.searchsorted(frame, crossing.end, "right") :]


def _features(view: ReviewView, found: list[tuple[Crossing, Parts, Parts]]) -> FloatArray:
    """[K, len(FEATURES)]. The margins compare the ways as they are with swapped ones; above 0, swapped fits better."""
    if not found:
        return np.zeros((0, len(FEATURES)))
    reach = round(APPROACH_SECONDS * view.scene.frame_rate)
    pieces, node_of, exists = [], [], np.zeros((len(found), 4), bool)
    for number, (_, mine, other) in enumerate(found):
        for place, rows in enumerate((*mine, *other)):  # before, after, other before, other after
            near = rows[-reach:] if place % 2 == 0 else rows[:reach]
            if len(near) == 0:  # an object that comes or goes at the crossing
                near = np.concatenate(mine)[:1]
            else:
                exists[number, place] = True
            pieces.append(near)
            node_of.append(np.full(len(near), 4 * number + place))
    scene = view.scene.take(np.concatenate(pieces))
    nodes = build_tracklets(scene, np.concatenate(node_of))
    first = 4 * np.arange(len(found))
    pairs = {"mine": (0, 1), "other": (2, 3), "swapped": (0, 3), "back": (2, 1)}
    cost, size, look = {}, {}, {}
    has = np.ones(len(found))
    for name, (past, future) in pairs.items():
        edge = np.stack([first + past, first + future])
        gap = np.maximum(nodes.frame[edge[1], HEAD] - nodes.frame[edge[0], TAIL], 1) / scene.frame_rate
        residual = mid_gap_residual(nodes, edge, gap)[:, 0]
        there = exists[:, past] & exists[:, future]
        cost[name] = np.where(
            there, np.log(0.05 + np.hypot(residual[:, 0], residual[:, 1]) / pair_height(nodes, edge) / (0.1 + gap)), 0.0
        )
        size[name] = np.where(there, np.abs(residual[:, 2]), 0.0)
        quantile, known = appearance(scene, nodes, edge)
        look[name], has = np.where(there, quantile, 0.0), has * (known + ~there)
    whole = exists.all(axis=1)

    def margin(value: dict[str, FloatArray]) -> FloatArray:
        kept, swapped = value["mine"] + value["other"], value["swapped"] + value["back"]
        return np.where(whole, kept - swapped, value["mine"] - value["swapped"])

    columns = [
        np.array([crossing.overlap**2 for crossing, _, _ in found]),
        np.log([(crossing.end - crossing.start + 1) / scene.frame_rate for crossing, _, _ in found]),
        np.array([_weakest_link(view, crossing, mine) for crossing, mine, _ in found]),
        cost["mine"],
        margin(cost),
        margin(size),
        margin(look) * has,
        has,
    ]
    return np.stack(columns, axis=1)


def _weakest_link(view: ReviewView, crossing: Crossing, mine: Parts) -> float:
    """Least logit of the links that carry the track through the crossing."""
    before, after = mine
    frame = view.result.candidates.frame
    track = view.result.hierarchy.track_of[before[-1]]
    rows = view.tracks[int(track)]
    start, stop = np.searchsorted(frame[rows], [frame[before[-1]], frame[after[0]]])
    return float(view.link_logit[rows[start:stop]].min(initial=6.0))


def crossings(labels: Labels) -> Iterator[Crossing]:
    """All crossings of tracks of one class, filled gaps included: a track often breaks while it is covered."""
    order = np.argsort(labels.frame, kind="stable")
    starts = np.searchsorted(labels.frame[order], np.arange(labels.info.frame_count + 1))
    first, second, frame, overlap = [], [], [], []
    for number, (low, high) in enumerate(pairwise(starts)):
        rows = order[low:high]
        iou = np.triu(iou_matrix(labels.box[rows], labels.box[rows]), k=1)
        iou[labels.class_id[rows][:, None] != labels.class_id[rows][None, :]] = 0
        i, j = np.nonzero(iou >= MIN_OVERLAP)
        pair = np.sort(np.stack([labels.track[rows[i]], labels.track[rows[j]]]), axis=0)
        first.append(pair[0])
        second.append(pair[1])
        frame.append(np.full(len(i), number))
        overlap.append(iou[i, j])
    table = np.stack([np.concatenate(column) for column in (first, second, frame)])  # [3, K]
    value = np.concatenate(overlap)
    order = np.lexsort(table[::-1])
    table, value = table[:, order], value[order]
    apart = SAME_EPISODE_SECONDS * labels.info.frame_rate
    same_pair = (np.diff(table[:2], axis=1) == 0).all(axis=0)
    breaks = np.flatnonzero(~same_pair | (np.diff(table[2]) > apart)) + 1
    for rows in np.split(np.arange(len(value)), breaks):
        if len(rows):
            yield Crossing(
                tracks=(int(table[0, rows[0]]), int(table[1, rows[0]])),
                start=int(table[2, rows[0]]),
                end=int(table[2, rows[-1]]),
                overlap=float(value[rows].max()),
            )
